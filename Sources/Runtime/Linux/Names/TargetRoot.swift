// The files of a target as the target sees them: below its root, in its mount namespace, links and all.

import CLinux
import ChaosModel
import Glibc

/// An open root folder.
struct TargetRoot: ~Copyable {
    private let root: Descriptor
    /// The folder of a named network namespace, whose files stand for those of the same name in /etc.
    private let overlay: String?

    /// Opens the root of a place; throws `.gone` when its process has ended.
    ///
    /// Any process of the same mount namespace will do, since the file outlives the one that we know.
    init(_ place: NamePlace) throws(KernelError) {
        overlay = place.overlay
        guard let process = place.process else {
            root = try Self.open("/")
            return
        }
        if try LinuxProcesses().isThere(process) {
            root = try Self.open("/proc/\(process.pid)/root")
        } else if let other = try Self.process(in: place.mounts) {
            root = try Self.open("/proc/\(other)/root")
        } else {
            throw KernelError(
                .gone,
                "open the root of process \(process.pid)",
                "that process has ended, and no other sees its files"
            )
        }
    }

    /// The inode of the mount namespace of a process; nil when it has ended.
    static func mounts(of process: ProcessIdentity) -> UInt64? {
        NamespaceFile.inode(of: "/proc/\(process.pid)/ns/mnt")
    }

    private static func process(in mounts: UInt64?) throws(KernelError) -> Int32? {
        guard let mounts else { return nil }
        return try ProcFile.pids().first {
            NamespaceFile.inode(of: "/proc/\($0)/ns/mnt") == mounts
        }
    }

    private static func open(_ path: String) throws(KernelError) -> Descriptor {
        let number = Glibc.open(path, CLINUX_PATH_ONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else {
            throw .system(errno, "open \(path)", needs: "CAP_SYS_PTRACE for another user's process")
        }
        return Descriptor(number)
    }

    /// Opens a file; nil when there is none.
    func open(_ path: String, _ flags: Int32) throws(KernelError) -> Descriptor? {
        if let overlay, path.hasPrefix("/etc/") {
            let found = clinux_open_within(root.number, overlay + path.dropFirst(4), flags)
            if found >= 0 { return Descriptor(found) }
        }
        let found = clinux_open_within(root.number, path, flags)
        if found == -ENOENT { return nil }
        return try Descriptor(found, "open \(path) of the target", needs: "the rights of its owner")
    }

    /// The bytes of a file; nil when there is none.
    func bytes(_ path: String) throws(KernelError) -> [UInt8]? {
        guard let file = try open(path, O_RDONLY) else { return nil }
        return try file.readAll("read \(path) of the target", limit: NameFile.limit)
    }

    /// Whether a socket of the target's file system has somebody who serves it.
    func serves(_ path: String) -> Bool {
        guard let file = try? open(path, CLINUX_PATH_ONLY) else { return false }
        return clinux_serves(file.number)
    }
}
