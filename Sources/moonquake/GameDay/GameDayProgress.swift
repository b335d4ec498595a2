// A GameDay as a person watches it: a line for each thing that happens, and on a terminal a last line that says what the
// day does now and for how much longer. While an experiment runs, its own live line is there instead. While a person is
// asked, the answer is typed in a line below it.

import ChaosGameDay
import ChaosLinux
import ChaosModel
import ChaosReport
import Glibc
import Synchronization

/// Tells of a day on standard error, or as JSON lines on standard output.
final class GameDayProgress: DayObserver {
    private struct State {
        var place: (text: String, until: Double)?
        var isShown = false
        /// Whether somebody types below the live line.
        var isAsking = false
        var ticker: Task<Void, Never>?
    }

    private let state = Mutex(State())
    private let json: Bool
    private let isTerminal = Console.isTerminal(STDERR_FILENO)
    private let style = TerminalStyle(colours: Console.hasColours(STDERR_FILENO))

    init(json: Bool) { self.json = json }

    func happened(_ event: GameDayReport.Event) {
        if json {
            if let line = try? WireJSON.line(event) { Console.output(line) }
            return
        }
        let text = "== \(event.text.escapedForDisplay(limit: 2000))"
        say(event.kind == "day" ? style.paint(text, .bold) : text)
    }

    /// Puts a line above the live one.
    func say(_ text: String) {
        state.withLock { state in
            clear(&state)
            Console.error(text)
        }
    }

    /// Asks the person at the terminal, who answers in a line of its own.
    func ask(_ question: String, _ prompt: String) {
        state.withLock { state in
            clear(&state)
            Console.error(question)
            if let place = state.place { Console.error(liveLine(place)) }
            Console.write(prompt, to: STDERR_FILENO)
            state.isAsking = true
        }
    }

    /// Nobody is asked any more; `isLineEnded` when the one who was asked has ended the line.
    func endQuestion(isLineEnded: Bool) {
        state.withLock { state in
            if isLineEnded { state.isAsking = false }
            clear(&state)
        }
    }

    func now(_ place: DayPlace, until: Double?) {
        guard isTerminal, !json else { return }
        state.withLock { state in
            clear(&state)
            state.ticker?.cancel()
            state.ticker = nil
            state.place = until.map { (Self.words(place), $0) }
            guard until != nil else { return }
            state.ticker = Task {
                while !Task.isCancelled {
                    self.show()
                    guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }
                }
            }
        }
    }

    /// `2 of 5 done, pause, next "cache loss"`.
    private static func words(_ place: DayPlace) -> String {
        let next = place.next.first.map { ", next \"\($0.escapedForDisplay)\"" } ?? ""
        return "\(place.done) of \(place.count) done, \(place.activity.escapedForDisplay)\(next)"
    }

    /// Takes the last line away.
    func end() {
        state.withLock { state in
            state.ticker?.cancel()
            clear(&state)
        }
    }

    private func show() {
        state.withLock { state in
            guard let place = state.place else { return }
            guard !state.isAsking else {
                // To the line above and back. An answer that is longer than its line is written over; it counts all the same.
                let move = (there: "\u{1b}7\u{1b}[1A\r\u{1b}[2K", back: "\u{1b}8")
                Console.write(move.there + liveLine(place) + move.back, to: STDERR_FILENO)
                return
            }
            clear(&state)
            Console.write(liveLine(place), to: STDERR_FILENO)
            state.isShown = true
        }
    }

    private func liveLine(_ place: (text: String, until: Double)) -> String {
        // By the clock that `until` is of, which time(2) lags behind; a begun second counts, but not a millionth of one.
        let seconds = place.until - LinuxTime().secondsSince1970
        let left = Int(max(0, seconds - 0.01).rounded(.up))
        let text = "\(place.text): \(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left"
        return style.paint(String(text.prefix(Console.width(STDERR_FILENO) - 1)), .dim)
    }

    /// Leaves the line in which it is, empty.
    private func clear(_ state: inout State) {
        if state.isAsking { Console.write("\n", to: STDERR_FILENO) }
        if state.isShown { Console.write("\r\u{1b}[2K", to: STDERR_FILENO) }
        (state.isAsking, state.isShown) = (false, false)
    }
}
