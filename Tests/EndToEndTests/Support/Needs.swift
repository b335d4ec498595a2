// What a test needs of the machine. A test that cannot run says so in the test output, by the comment of its condition.

import Glibc
import Testing

/// The conditions of tests.
enum Needs {
    static let isRoot = geteuid() == 0

    /// Whether another user may start the program that was built: the tree must be open to others.
    static let isOpenToOthers: Bool = {
        guard isRoot else { return false }
        let isDone = try? Sandbox.with { box in
            let user = [
                "setpriv", "--reuid", "\(nobody)", "--regid", "\(nobody)", "--clear-groups", "--",
            ]
            return try box.start(user + [Moonquake.path, "faults"]).ended() == 0
        }
        return isDone ?? false
    }()
}

extension Trait where Self == ConditionTrait {
    /// For tests with network faults and with several users.
    static var root: Self {
        .enabled(
            if: Needs.isRoot,
            "SKIPPED: needs root, for network namespaces and other users' processes"
        )
    }

    /// For tests that run the program as an ordinary user.
    static var ordinaryUser: Self {
        .enabled(
            if: Needs.isOpenToOthers,
            "SKIPPED: needs root, setpriv, and a tree that user 65534 can read"
        )
    }
}
