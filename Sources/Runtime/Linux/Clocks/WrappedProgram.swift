// Starting a service so that its wall clock can be shifted later: this process becomes the service.

import CLinux
package import ChaosModel
import Glibc

/// Becomes a program whose C library is asked the time through ours.
package enum WrappedProgram {
    /// Replaces this process; returns only by an error.
    ///
    /// - Parameters:
    ///   - arguments: The command.
    ///   - library: The library that is put before the C library's clock functions.
    ///   - monotonic: How far its monotonic clocks are off for its whole life, in a time namespace; nil for none.
    /// - Throws: what cannot be wrapped, and why.
    package static func become(
        _ arguments: [String],
        library: String,
        monotonic: Duration? = nil
    ) throws(KernelError) -> Never {
        let operation = "start \(arguments.first ?? "a program")"
        guard let name = arguments.first, let path = Spawn.executable(name) else {
            throw KernelError(.failed, operation, "no such program, or it may not be executed")
        }
        guard access(library, R_OK) == 0 else {
            throw KernelError(
                .unsupported,
                operation,
                "\(library) is not installed beside moonquake"
            )
        }
        if let reason = try obstacle(path) { throw KernelError(.unsupported, operation, reason) }
        if let monotonic { try enterTime(monotonic, operation) }
        let page = clinux_clock_page()
        guard page >= 0 else { throw .system(-page, operation) }
        let others = getenv("LD_PRELOAD").map { ":" + String(cString: $0) } ?? ""
        setenv("LD_PRELOAD", library + others, 1)
        setenv(String(cString: clinux_clock_variable()), "\(page)", 1)
        var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        vector.append(nil)
        execv(path, vector)
        throw .system(errno, operation)
    }

    private static func enterTime(_ shift: Duration, _ operation: String) throws(KernelError) {
        let release = try ProcFile.text("/proc/sys/kernel/osrelease") ?? ""
        let version = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        guard version.count == 2, (version[0], version[1]) >= (6, 2) else {
            throw KernelError(
                .unsupported,
                operation,
                "a program enters a time namespace when it is started since Linux 6.2"
            )
        }
        let code = clinux_new_time(Int64(shift.components.seconds))
        guard code == 0 else {
            throw .system(code, "\(operation) in a time namespace", needs: "CAP_SYS_ADMIN")
        }
    }

    /// Why the clock of a program could not be shifted; nil when it can, or when that shows only later.
    private static func obstacle(_ path: String) throws(KernelError) -> String? {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & (S_ISUID | S_ISGID) != 0 {
            return
                "it is set-user-ID or set-group-ID, and the loader preloads nothing into such programs"
        }
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = Descriptor(number)
        var header = [UInt8](repeating: 0, count: 4096)
        let count = pread(file.number, &header, header.count, 0)
        guard count >= 64, header.starts(with: [0x7f, 0x45, 0x4c, 0x46]), header[4] == 2 else {
            return nil
        }
        return ElfHeader.hasInterpreter(Array(header.prefix(count)))
            ? nil : "it is statically linked: it asks the kernel for the time, not the C library"
    }
}

/// What an ELF file of 64 bits begins with.
enum ElfHeader {
    // PT_INTERP: the program is loaded by the dynamic loader.
    private static let interpreter: UInt32 = 3

    /// Whether one of the program headers names a dynamic loader; true when they cannot be seen.
    static func hasInterpreter(_ bytes: [UInt8]) -> Bool {
        func number(_ offset: Int, _ size: Int) -> UInt64 {
            guard offset + size <= bytes.count else { return 0 }
            return (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
        }
        let (start, size, count) = (Int(number(32, 8)), Int(number(54, 2)), Int(number(56, 2)))
        guard start > 0, size >= 56, start + size * count <= bytes.count else { return true }
        return (0..<count).contains { UInt32(number(start + $0 * size, 4)) == interpreter }
    }
}
