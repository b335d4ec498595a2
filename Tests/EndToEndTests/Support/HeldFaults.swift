// The faults that most tests hold: a partition between two namespaces, and a paused process. And how long, by packets
// and by /proc, they outlive something.

import Glibc
import TestSupport

/// A run that holds a partition and a paused process until it is stopped.
struct HeldFaults {
    let near: String
    let sleeper: Program
    let runner: Program
    let agent: pid_t
    /// Pings the other namespace every 5 ms and prints when it was answered.
    private let ping: Program

    /// Holds them by a script, or by whom the script is given to.
    init(
        in box: Sandbox,
        terminal: String? = nil,
        by start: ((String) throws -> Program)? = nil
    ) throws {
        let (near, _) = try box.network()
        self.near = near
        sleeper = try box.sleeper()
        let ping = try box.start(["ping", "-n", "-D", "-i", "0.005", "10.98.0.2"], in: near)
        self.ping = ping
        guard eventually(holds: { ping.output.contains("bytes from") }) else {
            throw SetUpError("no ping is answered: \(ping.output)\(ping.errors)")
        }
        if let start {
            runner = try start(Self.script(near: near, pid: sleeper.pid, then: ""))
        } else {
            let script = try box.write("hold.lua", Self.script(near: near, pid: sleeper.pid))
            runner = try box.begin("run", script, terminal: terminal)
        }
        agent = try box.injected(2, by: runner)[0]
        guard Proc.state(of: sleeper.pid) == "T" else {
            throw SetUpError("the process was not paused")
        }
    }

    static func script(near: String, pid: pid_t, then rest: String = "wait \"60s\"") -> String {
        """
        local cut = inject(fault.network.partition { target = target.netns { name = "\(near)" }, to = "10.98.0.2" })
        local pause = inject(fault.process.pause { target = target.process { pid = \(pid) } })
        \(rest)
        """
    }

    /// Does something and measures for how long after it no packet passes, and the process is paused.
    ///
    /// - Returns: Milliseconds; nil for what is not over within the limit.
    func outlive(
        _ limit: Duration = .seconds(10),
        _ deed: () -> Void
    ) -> (partition: Double?, pause: Double?) {
        let answersBefore = ping.output.utf8.count
        let began = ContinuousClock.now
        let wallClock = Self.secondsSince1970
        deed()
        let isResumed = eventually(within: limit) { Proc.state(of: sleeper.pid) != "T" }
        let pause = (ContinuousClock.now - began).milliseconds
        let first: Double? = eventually(within: limit) {
            let lines = String(decoding: ping.output.utf8.dropFirst(answersBefore), as: UTF8.self)
                .split(separator: "\n")
            return lines.lazy.filter { $0.contains("bytes from") }.compactMap(Self.time).first {
                $0 >= wallClock
            }
        }
        return (first.map { ($0 - wallClock) * 1000 }, isResumed ? pause : nil)
    }

    /// The time in `[1764144000.123456] 64 bytes from …`.
    private static func time(_ line: Substring) -> Double? {
        guard line.hasPrefix("["), let close = line.firstIndex(of: "]") else { return nil }
        return Double(line[line.index(after: line.startIndex)..<close])
    }

    private static var secondsSince1970: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

extension Duration {
    var milliseconds: Double {
        Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15
    }
}

/// A measured time as tests print it.
func shown(_ milliseconds: Double?) -> String {
    milliseconds.map { "\(($0 * 10).rounded() / 10) ms" } ?? "never"
}
