// A limit of how fast a control group may use a disk: `io.max` in v2, one file for each direction in v1. The former
// value of the device's line is kept and written back as it was.

import ChaosModel

/// One limit of one group.
struct IOThrottle: Codable, Sendable, Hashable {
    var group: ControlGroup
    var file: String
    /// The whole disk: `254:0`.
    var disk: String
    /// The value of the disk's line while the fault is on, and the one that was there; empty for no line.
    var value: String
    var former: String

    /// The limits of a target's group for the disk of a file system.
    static func all(
        read: Double?,
        write: Double?,
        of target: Target,
        on space: FileSystemSpace,
        _ kernel: Kernel
    ) throws(FaultError) -> [IOThrottle] {
        guard let process = target.process else {
            throw .refused(
                "limit_read and limit_write are for a process's control group: use target.process"
            )
        }
        guard let disk = space.disk else {
            throw .unavailable(
                "\(space.folder) is \(space.kind), which is on no disk that the kernel could limit"
            )
        }
        let group = try kernelCall { () throws(KernelError) in
            try kernel.groups.group(of: process, for: .io)
        }
        let rates: [(file: String, value: String)]
        if group.version == .v2 {
            let parts = [("rbps", read), ("wbps", write)].compactMap { name, rate in
                rate.map { "\(name)=\(Int($0))" }
            }
            rates = [("io.max", parts.joined(separator: " "))]
        } else {
            rates = [("read", read), ("write", write)].compactMap { name, rate in
                rate.map { ("blkio.throttle.\(name)_bps_device", "\(Int($0))") }
            }
        }
        var throttles: [IOThrottle] = []
        for rate in rates {
            let obstacle = try kernelCall { () throws(KernelError) in
                try kernel.groups.obstacle(to: rate.file, of: group)
            }
            if let obstacle { throw .unavailable("\(group) cannot be limited: \(obstacle)") }
            var throttle = IOThrottle(
                group: group,
                file: rate.file,
                disk: disk,
                value: rate.value,
                former: ""
            )
            throttle.former = try kernelCall { () throws(KernelError) in
                try throttle.current(on: kernel)
            }
            throttles.append(throttle)
        }
        return throttles
    }

    var change: String {
        "limits \(group) on disk \(disk) (\(file)): \(value), was \(former.isEmpty ? "not limited" : former)"
    }

    var seen: String { "\(file) is \(value)" }

    func set(on kernel: Kernel) throws(FaultError) { try write(value, on: kernel) }

    /// Writes the former value of each part, unless somebody else has written another meanwhile.
    func restore(on kernel: Kernel) throws(FaultError) {
        let now = try kernelCall { () throws(KernelError) in try current(on: kernel) }
        let ours = partsInForce(now)
        guard !ours.isEmpty else { return }
        try write(ours.map(formerPart).joined(separator: " "), on: kernel)
    }

    func requireSet(on kernel: Kernel) throws(FaultError) {
        let now = try kernelCall { () throws(KernelError) in try current(on: kernel) }
        guard isInForce(now) else {
            throw .noEffect("\(group.folder)/\(file) says \"\(now)\" for \(disk), not \"\(value)\"")
        }
    }

    func requireRestored(on kernel: Kernel) throws(FaultError) -> String {
        let now = try kernelCall { () throws(KernelError) in try current(on: kernel) }
        if now == former {
            return "\(file) is \(former.isEmpty ? "without a limit" : former) again"
        }
        guard partsInForce(now).allSatisfy({ formerPart($0) == $0 }) else {
            throw .noEffect(
                "\(group.folder)/\(file) says \"\(now)\" for \(disk), not \"\(former)\""
            )
        }
        return "\(file) is \(now): somebody else changed it meanwhile, so it was left alone"
    }

    /// Whether a line has all that was asked for: in v2 the kernel adds what was not.
    private func isInForce(_ line: String) -> Bool {
        partsInForce(line).count == value.split(separator: " ").count
    }

    /// What of a line is as it was asked for: `rbps=4000000` in v2, the whole in v1.
    private func partsInForce(_ line: String) -> [String] {
        let parts = line.split(separator: " ")
        return value.split(separator: " ").filter(parts.contains).map(String.init)
    }

    /// What was there before instead of a part.
    ///
    /// Without a line that is the greatest value: when all are, the kernel has no line.
    private func formerPart(_ part: String) -> String {
        guard let sign = part.firstIndex(of: "=") else { return former.isEmpty ? "0" : former }
        let key = part[...sign]
        let before = former.split(separator: " ").first { $0.hasPrefix(key) }
        return String(before ?? key + "max")
    }

    private func write(_ value: String, on kernel: Kernel) throws(FaultError) {
        try kernelCall { () throws(KernelError) in
            try kernel.groups.write("\(disk) \(value)", to: file, of: group)
        }
    }

    /// The value of the disk's line; empty for none.
    private func current(on kernel: Kernel) throws(KernelError) -> String {
        let text = try kernel.groups.read(file, of: group) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(disk) ") }
        return line.map { String($0.dropFirst(disk.count + 1)) } ?? ""
    }
}
