// What this host and this process are.

package import ChaosModel
import Glibc

/// The host on Linux.
package struct LinuxHost: HostPort {
    /// More ancestors than any real process has; a bound for the walk.
    private static let mostAncestors = 1000

    /// Makes the port.
    package init() {}

    package func bootID() throws(KernelError) -> String {
        let path = "/proc/sys/kernel/random/boot_id"
        guard let text = try ProcFile.text(path) else {
            throw KernelError(.unsupported, "read \(path)", "it is not there")
        }
        return String(text.prefix { !$0.isWhitespace })
    }

    package func hasCapability(_ name: String) -> Bool {
        Capability.names(in: effectiveMask).contains(name)
    }

    package func userID() -> UInt32 { geteuid() }

    package func ancestry() -> [Int32] {
        var found = [getpid()]
        while found.count < Self.mostAncestors, let last = found.last, last != 1,
            let parent = parent(of: last), parent > 0
        {
            found.append(parent)
        }
        return found
    }

    /// No privileges are assumed where the kernel does not tell.
    private var effectiveMask: UInt64 {
        guard let status = try? ProcFile.text("/proc/self/status"),
            let field = ProcessStatus.field("CapEff", of: status)
        else { return 0 }
        return UInt64(field, radix: 16) ?? 0
    }

    /// An ancestor whose parent cannot be read ends the walk: the rest is not ours to see.
    private func parent(of pid: Int32) -> Int32? {
        guard let bytes = try? ProcFile.bytes("/proc/\(pid)/stat") else { return nil }
        return ProcessStatus(stat: bytes)?.parent
    }
}
