// `target.systemd`: units by their control groups, which carry the units' names. No systemctl and no D-Bus: what
// the kernel says is there, also when systemd itself hangs.

import ChaosModel

/// Finds units.
struct UnitMatches {
    private let kernel: Kernel

    init(_ kernel: Kernel) { self.kernel = kernel }

    func find(_ options: Parameters, _ reach: GroupReach) throws(TargetError) -> [Candidate] {
        let patterns = (options[TargetOptions.unit] ?? []).map(Self.pattern)
        var members: [String: [ProcessSnapshot]] = [:]
        for process in try ProcessTable(kernel).processes where !process.isKernelThread {
            let path = try TargetError.kernel { () throws(KernelError) in
                try kernel.processes.serviceGroup(of: process.identity)
            }
            guard let path, let unit = Self.unit(in: path, patterns) else { continue }
            members[unit, default: []].append(process)
        }
        var found: [Candidate] = []
        for (path, processes) in members.sorted(by: { $0.key < $1.key }) {
            let oldest = processes.min { $0.identity.startTime < $1.identity.startTime }
            guard let leader = oldest?.identity else { continue }
            let name = Self.name(of: path)
            let group = TargetGroup(kind: .systemd, name: name, id: path, leader: leader)
            let parts = try group.parts(reach, members: { processes }, on: kernel)
            found.append(Candidate(name: name, parts: parts))
        }
        return found
    }

    /// What a name in a selector stands for: `nginx` is `nginx.service`, `worker@` every instance.
    static func pattern(_ given: String) -> Glob {
        let suffix = suffixes.first { given.hasSuffix($0) }
        let stem = suffix.map { String(given.dropLast($0.count)) } ?? given
        let instances = stem.hasSuffix("@") ? "*" : ""
        return Glob(stem + instances + (suffix ?? ".service"))
    }

    private static let suffixes = [
        ".service", ".scope", ".slice", ".socket", ".mount", ".swap",
    ]

    /// The control group of the innermost unit in a path that matches, or nil.
    static func unit(in path: String, _ patterns: [Glob]) -> String? {
        let parts = path.split(separator: "/")
        let last = parts.lastIndex { part in
            let name = unescaped(part)
            return patterns.contains { $0.matches(name) }
        }
        return last.map { "/" + parts[...$0].joined(separator: "/") }
    }

    private static func name(of path: String) -> String {
        unescaped(path.split(separator: "/").last ?? "")
    }

    /// The unit's name: systemd puts `_` before one that the kernel would take for a file of its own.
    static func unescaped(_ part: Substring) -> String {
        String(part.hasPrefix("_") ? part.dropFirst() : part)
    }
}
