// Files without a name: their space belongs to whoever has them open, and to nobody once that one is dead.

import CLinux
import ChaosModel
import Glibc

/// A folder in which files without a name are made.
struct UnnamedFiles: ~Copyable, Sendable {
    private let folder: Descriptor
    private let path: String
    private let name: String

    /// Opens a folder, and makes sure that it is still on the file system that was planned with.
    init(in path: String, on device: UInt64, name: String) throws(KernelError) {
        let operation = "open \(path)"
        let number = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw .system(errno, operation) }
        let opened = Descriptor(number)
        try Self.requireDevice(device, of: number, operation)
        folder = opened
        self.path = path
        self.name = name
    }

    private static func requireDevice(
        _ device: UInt64,
        of number: Int32,
        _ operation: String
    ) throws(KernelError) {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw .system(errno, operation) }
        guard UInt64(status.st_dev) == device else {
            throw KernelError(.failed, operation, "another file system is mounted there now")
        }
    }

    /// Makes a file: without a name where the file system can, else with one that is removed at once, or with one
    /// that stays.
    func make(_ number: Int, isVisible: Bool = false) throws(KernelError) -> Descriptor {
        if !isVisible {
            let unnamed = clinux_unnamed_file(folder.number)
            if unnamed >= 0 { return Descriptor(unnamed) }
            guard [EOPNOTSUPP, EISDIR, ENOENT, EINVAL].contains(-unnamed) else {
                throw .system(-unnamed, "make a file in \(path)", needs: "the right to write there")
            }
        }
        let file = "\(Self.prefix(of: name))\(number)"
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        let named = openat(folder.number, file, flags, 0o600)
        guard named >= 0 else {
            throw .system(errno, "make \(path)/\(file)", needs: "the right to write there")
        }
        let descriptor = Descriptor(named)
        if !isVisible, unlinkat(folder.number, file, 0) != 0 {
            throw .system(errno, "remove \(path)/\(file)")
        }
        return descriptor
    }

    /// The file system now, with all that was allocated.
    func space() throws(KernelError) -> FileSystemSpace {
        let space = try FileSystemSpace(open: folder.number, folder: path)
        guard space.countsAtCommit else { return space }
        try space.commit(folder.number)
        return try FileSystemSpace(open: folder.number, folder: path)
    }

    /// Removes the files of this name that were left in a folder; one that is gone has none.
    static func removeLeft(by name: String, in path: String, on device: UInt64) throws(KernelError)
    {
        var status = stat()
        guard stat(path, &status) == 0, UInt64(status.st_dev) == device else { return }
        for file in try ProcFile.names(in: path) ?? [] where file.hasPrefix(prefix(of: name)) {
            guard unlink("\(path)/\(file)") == 0 || errno == ENOENT else {
                throw .system(errno, "remove \(path)/\(file)")
            }
        }
    }

    private static func prefix(of name: String) -> String { ".\(name)-" }

    /// Has the file system of a folder count what is free again, where it would do so by itself only later.
    static func countFreed(in path: String, on device: UInt64) throws(KernelError) {
        let number = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // The folder may be gone, and with it whatever was to be counted.
        guard number >= 0 else { return }
        let folder = Descriptor(number)
        let space = try FileSystemSpace(open: folder.number, folder: path)
        guard space.device == device, space.countsAtCommit else { return }
        try space.commit(folder.number)
    }
}

extension FileSystemSpace {
    /// Whether what is allocated or freed is counted only with the next commit: btrfs, by itself every 30 s.
    ///
    /// Who needs freed space before that gets it, since the kernel commits for that.
    fileprivate var countsAtCommit: Bool { kind == "btrfs" }

    fileprivate func commit(_ descriptor: Int32) throws(KernelError) {
        let code = clinux_commit(descriptor)
        guard code == 0 else { throw .system(code, "commit \(folder)") }
    }

    /// The file system of a folder, or of a file's folder, found through an open descriptor: links are resolved.
    static func find(at path: String) throws(KernelError) -> FileSystemSpace {
        let operation = "look at \(path.escapedForDisplay)"
        let number = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else {
            let code = errno
            guard code == ENOTDIR else { throw .system(code, operation) }
            throw KernelError(.failed, operation, "it is no folder")
        }
        let folder = Descriptor(number)
        let real = ProcFile.link("/proc/self/fd/\(number)") ?? path
        // Through another mount namespace the resolved path leads nowhere, or elsewhere.
        var space = try FileSystemSpace(
            open: folder.number,
            folder: leads(real, to: folder.number) ? real : path
        )
        space.obstacle = obstacle(to: folder.number)
        return space
    }

    private static func obstacle(to folder: Int32) -> String? {
        guard faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) != 0 else { return nil }
        switch errno {
        case EROFS: return "it is mounted read-only: mount -o remount,rw"
        case EACCES, EPERM:
            return "user \(geteuid()) may not write there: run as its owner, or as root with --sudo"
        case let code: return String(cString: strerror(code))
        }
    }

    private static func leads(_ path: String, to descriptor: Int32) -> Bool {
        var (named, opened) = (stat(), stat())
        return stat(path, &named) == 0 && fstat(descriptor, &opened) == 0
            && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino
    }

    init(open descriptor: Int32, folder: String) throws(KernelError) {
        var status = stat()
        var space = statvfs()
        guard fstat(descriptor, &status) == 0, fstatvfs(descriptor, &space) == 0
        else { throw .system(errno, "look at \(folder)") }
        let block = Int(space.f_frsize)
        self.init(
            folder: folder,
            device: UInt64(status.st_dev),
            kind: Self.name(ofKind: clinux_file_system_kind(descriptor)),
            block: block,
            used: Int(space.f_blocks - space.f_bfree) * block,
            available: Int(space.f_bavail) * block,
            disk: Self.disk(of: UInt64(status.st_dev))
        )
    }

    /// Names for linux/magic.h.
    private static func name(ofKind magic: Int) -> String {
        let names = [
            0xef53: "ext4", 0x0102_1994: "tmpfs", 0x5846_5342: "xfs", 0x9123_683e: "btrfs",
            0x794c_7630: "overlay", 0x6969: "nfs", 0x0102_1997: "9p", 0x4d44: "vfat",
            0xf2f5_2010: "f2fs", 0x2fc1_2fc1: "zfs",
        ]
        return names[magic] ?? "a file system of kind \(String(magic, radix: 16))"
    }

    /// The whole disk of a device number, also of a partition; nil where there is none.
    private static func disk(of device: UInt64) -> String? {
        // The kernel's encoding in userspace: gnu_dev_major(3).
        let major = (device >> 8) & 0xfff | (device >> 32) & ~0xfff
        let minor = device & 0xff | (device >> 12) & ~0xff
        let folder = "/sys/dev/block/\(major):\(minor)"
        guard access(folder, F_OK) == 0 else { return nil }
        guard access("\(folder)/partition", F_OK) == 0 else { return "\(major):\(minor)" }
        let whole = (try? ProcFile.text("\(folder)/../dev")) ?? nil
        return whole.map { String($0.prefix { !$0.isWhitespace }) }
    }
}
