// What the process faults share: the target's identity, signals, and the check of the right to signal.

import ChaosModel

/// Signal numbers of Linux, the same on all its architectures that Swift supports.
enum ProcessSignal {
    static let byName: [String: Int32] = [
        "HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12,
        "TERM": 15,
    ]
    static let stop: Int32 = 19
    static let resume: Int32 = 18
}

extension Target {
    /// The process of a process target.
    func process(for fault: String) throws(FaultError) -> ProcessIdentity {
        guard case .process(_, let identity, _) = self else {
            throw .refused("\(fault) needs a process, got \(self)")
        }
        return identity
    }
}

extension ProcessSnapshot {
    /// Refuses, before anything is done, what kill(2) would refuse.
    func requireSignalPermission(on kernel: Kernel) throws(FaultError) {
        let own = kernel.host.userID()
        guard userID != own, own != 0, !kernel.host.hasCapability("CAP_KILL") else { return }
        throw .unavailable(
            "process \(identity.pid) (\(displayName)) belongs to user \(userID): signalling it needs CAP_KILL; "
                + "run as root or as that user"
        )
    }
}
