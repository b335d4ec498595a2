// Processor time that was used: of single processors from /proc/stat, or of a control group.
//
// A processor is busy when it is not idle: idle time is measured, while the kernel finds the kinds of busy time by
// looking at each tick. Every value is in seconds and only ever grows.

import ChaosModel
import Glibc

/// Reads processor time.
struct ProcessorMeter: Sendable {
    let processors: [Int]
    let group: ControlGroup?

    /// The time used so far: one value for the group, or one for each processor.
    func read() throws(KernelError) -> [Double] {
        if let group { return [try LinuxControlGroups().processorTimeMs(of: group) / 1000] }
        guard let text = try ProcFile.text("/proc/stat") else {
            throw KernelError(.unsupported, "read /proc/stat", "it is not there")
        }
        let idle = Self.idle(in: text)
        let now = LoadClock.now
        return processors.map { now - (idle[$0] ?? 0) }
    }

    /// The idle time of each processor in the text of /proc/stat, waiting for disks included.
    static func idle(in text: String) -> [Int: Double] {
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        var found: [Int: Double] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("cpu") {
            let words = line.split(separator: " ")
            guard words.count > 5, let number = Int(words[0].dropFirst(3)),
                let idle = Double(words[4]), let waiting = Double(words[5])
            else { continue }
            found[number] = (idle + waiting) / ticks
        }
        return found
    }
}

/// Processors as the kernel writes them.
enum ProcessorSet {
    /// Reads a mask such as `ffff,ffffffff`: words of 32 bits, the highest first.
    static func numbers(inMask text: some StringProtocol) -> [Int]? {
        var numbers: [Int] = []
        for (index, word) in text.split(separator: ",").reversed().enumerated() {
            guard let bits = UInt32(word, radix: 16) else { return nil }
            numbers += (0..<32).filter { bits >> $0 & 1 == 1 }.map { index * 32 + $0 }
        }
        return numbers.isEmpty ? nil : numbers
    }

    /// The processors that a process may use; nil when it is gone.
    static func allowed(for pid: Int32) throws(KernelError) -> [Int]? {
        guard let status = try ProcFile.text("/proc/\(pid)/status") else { return nil }
        return ProcessStatus.field("Cpus_allowed", of: status).flatMap { numbers(inMask: $0) }
    }
}
