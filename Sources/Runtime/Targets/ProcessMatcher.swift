// Whether a process is one that a selector means. All criteria given must match.

import ChaosModel

/// The criteria of `target.process`, read once for a whole pass over the processes.
struct ProcessMatcher {
    private let kernel: Kernel
    private let options: Parameters
    private let userID: UInt32?
    private let listening: Set<Int32>?

    init(_ options: Parameters, on kernel: Kernel) throws(TargetError) {
        self.kernel = kernel
        self.options = options
        userID = try Self.userID(options, on: kernel)
        listening =
            if let port = options[TargetOptions.port] {
                try TargetError.kernel { () throws(KernelError) in
                    try kernel.processes.listening(on: port)
                }
            } else {
                nil
            }
    }

    func matches(_ process: ProcessSnapshot) throws(TargetError) -> Bool {
        if let name = options[TargetOptions.name], !process.names.contains(name) { return false }
        if let part = options[TargetOptions.command],
            !process.arguments.joined(separator: " ").contains(part)
        {
            return false
        }
        if let path = options[TargetOptions.exe], process.executable != path { return false }
        if let userID, process.userID != userID { return false }
        if let listening, !listening.contains(process.identity.pid) { return false }
        if let group = options[TargetOptions.cgroup] { return try isInGroup(process, group) }
        return true
    }

    private func isInGroup(_ process: ProcessSnapshot, _ group: String) throws(TargetError) -> Bool
    {
        let own = try TargetError.kernel { () throws(KernelError) in
            try kernel.processes.controlGroups(of: process.identity)
        }
        let wanted = "/" + group.split(separator: "/").joined(separator: "/")
        let below = wanted == "/" ? "/" : wanted + "/"
        return own.contains { $0 == wanted || $0.hasPrefix(below) }
    }

    private static func userID(_ options: Parameters, on kernel: Kernel) throws(TargetError)
        -> UInt32?
    {
        guard let user = options[TargetOptions.user] else { return nil }
        if let number = UInt32(user) { return number }
        let found = try TargetError.kernel { () throws(KernelError) in
            try kernel.processes.userID(named: user)
        }
        guard let found else {
            throw .noTarget(
                options.error("there is no user \"\(user.escapedForDisplay)\" on this host")
            )
        }
        return found
    }
}
