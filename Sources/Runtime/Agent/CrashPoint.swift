// Places where a debug build can be told to die, as by a power cut. A release build has none of it.
//
// `MOONQUAKE_CRASH="injected both 250"` ends runner and agent 250 µs after an effect was made; what is ended is
// `runner`, `agent` or `both`. The file `MOONQUAKE_CRASH_MARK` is made just before, so that its time is that of the end.

import Glibc

/// A step of a lease.
enum CrashPoint: String {
    /// The undo is on disk, nothing is done.
    case granted
    /// The effect is about to be made; some time later it is half made.
    case injecting
    case injected
    case verified
    /// That it was made is on disk.
    case written
    /// It is about to be put back; some time later it is half put back.
    case reverting
    case putBack = "put_back"
    case readBack = "read_back"
    /// That it was put back is on disk.
    case reverted

    /// Dies here if that was asked for.
    func reached() {
        #if DEBUG
        guard let order = CrashOrder.current, order.point == self else { return }
        order.carryOut()
        #endif
    }
}

#if DEBUG
/// What `MOONQUAKE_CRASH` asks for.
private struct CrashOrder: Sendable {
    static let current = CrashOrder()

    let point: CrashPoint
    private let victim: String
    private let microseconds: Int
    private let mark: String
    /// Who started this agent; once that has ended, the agent has another parent, which is none of ours.
    private let runner = getppid()

    private init?() {
        guard let text = getenv("MOONQUAKE_CRASH").map({ String(cString: $0) }),
            let mark = getenv("MOONQUAKE_CRASH_MARK").map({ String(cString: $0) })
        else { return nil }
        let words = text.split(separator: " ")
        guard words.count == 3, let point = CrashPoint(rawValue: String(words[0])),
            let microseconds = Int(words[2])
        else { return nil }
        (self.point, victim, self.microseconds, self.mark) = (
            point, String(words[1]), microseconds, mark
        )
    }

    /// Ends who is to be ended, once: at once, or beside what goes on.
    func carryOut() {
        guard access(mark, F_OK) != 0 else { return }
        if microseconds == 0 { return end() }
        Task.detached { [self] in
            try? await Task.sleep(for: .microseconds(microseconds))
            end()
        }
    }

    private func end() {
        let descriptor = open(mark, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        close(descriptor)
        if victim != "agent", runner != 1, getppid() == runner { kill(runner, SIGKILL) }
        if victim != "runner" { kill(getpid(), SIGKILL) }
    }
}
#endif
