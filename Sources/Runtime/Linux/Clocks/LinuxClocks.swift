// Wall clocks of wrapped services on Linux: a page of shared memory that the service's preloaded library reads.
//
// A shift belongs to one thread of ours, which sleeps. The page names that thread in a robust futex: when the thread
// ends, with this process or without it, the kernel takes the name out, and the clock is true again.

import CLinux
package import ChaosModel
import ChaosThreads
import Dispatch
import Glibc
import Synchronization

/// Clocks on Linux.
package final class LinuxClocks: ClockPort {
    private let shifts = Mutex<[UInt64: ClockShift]>([:])

    /// Makes the port.
    package init() {}

    package func clock(of process: ProcessIdentity) throws(KernelError) -> ServiceClock? {
        guard let file = try ClockFile.open(of: process) else { return nil }
        let page = try ClockPage(file.descriptor.number)
        let seen = page.read()
        return ServiceClock(
            inode: file.inode,
            offset: seen.held ? seen.offset : 0,
            reads: seen.reads
        )
    }

    package func shift(
        _ process: ProcessIdentity,
        by nanoseconds: Int64
    ) async throws(KernelError) {
        let operation = "shift the clock of process \(process.pid)"
        guard let file = try ClockFile.open(of: process) else {
            throw KernelError(.gone, operation, "it has no shared clock")
        }
        let page = try ClockPage(file.descriptor.number)
        let shift = ClockShift(page)
        try await OwnThread.value { () throws(KernelError) in
            try shift.begin(nanoseconds, operation)
        }
        shifts.withLock { $0[file.inode] = shift }
    }

    package func unshift(_ inode: UInt64) async throws(KernelError) {
        guard let shift = shifts.withLock({ $0.removeValue(forKey: inode) }) else { return }
        try await OwnThread.value { () throws(KernelError) in try shift.end() }
    }
}

/// A thread that holds a shift.
private final class ClockShift: Sendable {
    private static let limit = 5

    private let page: ClockPage
    private let begun: DispatchSemaphore
    private let isDue: DispatchSemaphore
    private let ended: DispatchSemaphore

    init(_ page: ClockPage) {
        self.page = page
        begun = DispatchSemaphore(value: 0)
        isDue = DispatchSemaphore(value: 0)
        ended = DispatchSemaphore(value: 0)
    }

    func begin(_ nanoseconds: Int64, _ operation: String) throws(KernelError) {
        let answer = Shared<Int32>(0)
        try OwnThread.start { [self] in
            let code = page.take(nanoseconds)
            answer.value = code
            begun.signal()
            guard code == 0 else { return }
            isDue.wait()
            page.release()
            ended.signal()
        }
        begun.wait()
        switch answer.value {
        case 0: return
        case EBUSY: throw KernelError(.failed, operation, "somebody else shifts it already")
        case let code: throw .system(code, operation)
        }
    }

    func end() throws(KernelError) {
        isDue.signal()
        guard ended.wait(timeout: .now() + .seconds(Self.limit)) == .success else {
            throw KernelError(.failed, "end the shift of a clock", "its thread does not answer")
        }
    }
}

/// A mapped page.
private final class ClockPage: Sendable {
    // SAFETY: the memory is mapped from here to `deinit`, and the C functions use it by atomic operations only.
    nonisolated(unsafe) private let page: OpaquePointer

    init(_ descriptor: Int32) throws(KernelError) {
        var found: OpaquePointer?
        let code = clinux_clock_map(descriptor, &found)
        guard code == 0, let found else {
            throw KernelError.system(code, "map the shared clock of a service")
        }
        page = found
    }

    func read() -> clinux_clock { clinux_clock_read(page) }
    func take(_ nanoseconds: Int64) -> Int32 { clinux_clock_take(page, nanoseconds) }
    func release() { clinux_clock_release(page) }

    deinit { clinux_clock_unmap(page) }
}

/// The memory file of a wrapped service, opened here.
private struct ClockFile: ~Copyable {
    let descriptor: Descriptor
    let inode: UInt64

    /// Opens it; nil when the process maps none.
    static func open(of process: ProcessIdentity) throws(KernelError) -> ClockFile? {
        let operation = "open the shared clock of process \(process.pid)"
        guard try LinuxProcesses().isThere(process),
            let maps = try ProcFile.text("/proc/\(process.pid)/maps")
        else { throw KernelError(.gone, operation, "it has ended") }
        let line = maps.split(separator: "\n").first {
            $0.hasSuffix("/memfd:moonquake_clock (deleted)")
        }
        guard let fields = line?.split(separator: " "), fields.count > 4,
            let inode = UInt64(fields[4])
        else { return nil }
        let paths = ["/proc/\(process.pid)/map_files/\(fields[0])"] + paths(process)
        var code = ENOENT
        for path in paths {
            let number = Glibc.open(path, O_RDWR | O_CLOEXEC)
            guard number >= 0 else {
                code = errno
                continue
            }
            let descriptor = Descriptor(number)
            var status = stat()
            if fstat(number, &status) == 0, UInt64(status.st_ino) == inode,
                try LinuxProcesses().isThere(process)
            {
                return ClockFile(descriptor: descriptor, inode: inode)
            }
        }
        throw .system(code, operation, needs: "to run as root, or as the user of the process")
    }

    /// The descriptors by which the process itself has it open.
    private static func paths(_ process: ProcessIdentity) -> [String] {
        let folder = "/proc/\(process.pid)/fd"
        let names = (try? ProcFile.names(in: folder)) ?? []
        return names.map { "\(folder)/\($0)" }.filter {
            ProcFile.link($0)?.hasPrefix("/memfd:moonquake_clock") == true
        }
    }
}
