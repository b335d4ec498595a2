// A run as a person at a prompt sees it: what a script prints as it is, what happens as `run` shows it, and no phases.

import ChaosModel
import ChaosReport
import Glibc

/// Tells of a run above the line that is being written.
struct PromptProgress: RunObserver {
    private let editor: LineEditor
    private let progress: TerminalProgress

    init(_ editor: LineEditor) {
        self.editor = editor
        progress = TerminalProgress(
            isTerminal: false,
            colours: Console.hasColours(STDERR_FILENO),
            write: { editor.say($0, to: STDERR_FILENO) }
        )
    }

    func happened(_ event: RunEvent) {
        switch event.kind {
        case .started, .phase, .plan, .ended: break
        case .log:
            let lines = event.text.split(separator: "\n", omittingEmptySubsequences: false)
            let shown = lines.map {
                String($0).replacing("\t", with: "  ").escapedForDisplay(limit: 4096)
            }
            editor.say(shown.joined(separator: "\n") + "\n", to: STDOUT_FILENO)
        default: progress.happened(event)
        }
    }

    func sampled(_ metric: MetricDefinition, _ sample: Sample, isHealthy: Bool) {}
}
