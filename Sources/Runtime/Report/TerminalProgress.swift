// A run as a person watches it: one line for each thing that happens, and on a terminal a live last line with the
// phase, the time, the faults in force and the metrics.

package import ChaosModel
import Synchronization

/// Tells of a run on standard error.
package final class TerminalProgress: RunObserver, Sendable {
    private struct State {
        var phase = Phase.initialize
        /// When the run began, by what its first event says of its age.
        var began: ContinuousClock.Instant?
        var inForce = 0
        var metrics: [String: (text: String, isHealthy: Bool)] = [:]
        var isLiveLineShown = false
    }

    private let state = Mutex(State())
    private let write: @Sendable (String) -> Void
    private let isTerminal: Bool
    private let width: Int
    private let style: TerminalStyle

    /// Makes a view.
    ///
    /// - Parameters:
    ///   - isTerminal: Whether a line can be redrawn.
    ///   - width: The columns of the terminal.
    ///   - colours: Whether words may be painted.
    ///   - write: Writes text as it is.
    package init(
        isTerminal: Bool,
        width: Int = 80,
        colours: Bool,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.isTerminal = isTerminal
        self.width = width
        style = TerminalStyle(colours: colours)
        self.write = write
    }

    package func happened(_ event: RunEvent) {
        state.withLock { state in
            state.phase = event.phase
            if state.began == nil { state.began = .now - .milliseconds(event.offsetMs) }
            if event.kind == .injected { state.inForce += 1 }
            if event.kind == .reverted { state.inForce = max(0, state.inForce - 1) }
            guard event.kind != .ended else {
                clearLiveLine(&state)
                return
            }
            clearLiveLine(&state)
            write(line(for: event) + "\n")
            showLiveLine(&state)
        }
    }

    package func sampled(_ metric: MetricDefinition, _ sample: Sample, isHealthy: Bool) {
        guard isTerminal else { return }
        state.withLock { state in
            let text = sample.value.map(metric.unit.spelled) ?? "no data"
            state.metrics[metric.name] = ("\(metric.name) \(text)", isHealthy)
            clearLiveLine(&state)
            showLiveLine(&state)
        }
    }

    private func line(for event: RunEvent) -> String {
        let time = Self.clock(event.offsetMs)
        let text = event.text.replacing("\t", with: "  ").escapedForDisplay(limit: 2000)
        let painted =
            switch event.kind {
            case .phase: style.paint(text, .bold)
            case .injected: style.paint("injected ", .yellow) + text
            case .reverted: style.paint("reverted ", .green) + text
            case .recovered: style.paint("recovered ", .green) + text
            case .leaked: style.paint("LEFT BEHIND ", .red) + text
            case .stop: style.paint("stopping: ", .red) + text
            case .warning: style.paint("warning: ", .yellow) + text
            case .observation: "observed: " + text
            case .log: "script: " + text
            case .started, .plan, .health, .check, .rule, .ended: text
            }
        return "\(style.paint(time, .dim))  \(painted)"
    }

    private func showLiveLine(_ state: inout State) {
        guard isTerminal, state.phase != .report else { return }
        let metrics = state.metrics.sorted { $0.key < $1.key }.map { entry in
            (entry.value.isHealthy ? "✓ " : "✗ ") + entry.value.text
        }
        let age = state.began.map { $0.duration(to: .now) } ?? .zero
        let faults =
            state.inForce == 0
            ? "no fault" : state.inForce == 1 ? "1 fault" : "\(state.inForce) faults"
        let parts = ["\(state.phase.rawValue) \(Self.clock(age.inMilliseconds))", faults] + metrics
        let text = parts.joined(separator: "  ")
        write(style.paint(String(text.prefix(max(1, width - 1))), .dim))
        state.isLiveLineShown = true
    }

    private func clearLiveLine(_ state: inout State) {
        guard state.isLiveLineShown else { return }
        write("\r\u{1b}[2K")
        state.isLiveLineShown = false
    }

    /// `1:02.3`: minutes, seconds, tenths.
    private static func clock(_ offsetMs: Double) -> String {
        let tenths = Int(offsetMs / 100)
        let seconds = (tenths / 10) % 60
        return "\(tenths / 600):\(seconds < 10 ? "0" : "")\(seconds).\(tenths % 10)"
    }
}
