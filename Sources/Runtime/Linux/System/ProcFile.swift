// Small files of /proc. A process may end between any two calls, so "not there" is an answer and no error.

import ChaosModel
import Glibc

/// Files and links of /proc and of the namespace folders.
enum ProcFile {
    /// The longest file we read: /proc/net/tcp with some 400,000 sockets.
    private static let limit = 64 << 20

    /// The bytes of a file; nil when it, or the process it tells of, is gone.
    static func bytes(_ path: String) throws(KernelError) -> [UInt8]? {
        let operation = "read \(path)"
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else {
            let code = errno
            if code == ENOENT || code == ESRCH { return nil }
            throw .system(code, operation)
        }
        let file = Descriptor(number)
        do {
            return try file.readAll(operation, limit: limit)
        } catch  where error.kind == .gone {
            return nil
        }
    }

    /// The text of a file; nil when it is gone.
    static func text(_ path: String) throws(KernelError) -> String? {
        try bytes(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What a symbolic link says; nil when it is gone or may not be read.
    static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        guard count >= 0 else { return nil }
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// The names in a folder; nil when it is gone.
    static func names(in path: String) throws(KernelError) -> [String]? {
        guard let folder = opendir(path) else {
            let code = errno
            if code == ENOENT || code == ESRCH { return nil }
            throw .system(code, "list \(path)")
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// The process ids in /proc.
    static func pids() throws(KernelError) -> [Int32] {
        guard let names = try names(in: "/proc") else {
            throw KernelError(.unsupported, "list /proc", "/proc is not mounted")
        }
        return names.compactMap { Int32($0) }
    }
}

extension String {
    /// The text without what the kernel adds to the path of a file that was removed.
    var withoutDeletedMark: String {
        hasSuffix(" (deleted)") ? String(dropLast(" (deleted)".count)) : self
    }
}
