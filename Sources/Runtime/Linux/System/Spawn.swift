// Starting programs: argument vectors only, never a shell, nothing inherited but three descriptors.

import CLinux
import ChaosModel
import Glibc

/// Starts programs.
enum Spawn {
    /// Where system tools are when PATH does not name their folder, as for ordinary users and cron.
    private static let systemFolders = [
        "/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin",
    ]

    /// The file that a program's name stands for; nil when there is none that may be executed.
    static func executable(_ name: String) -> String? {
        guard !name.contains("/") else { return access(name, X_OK) == 0 ? name : nil }
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        let folders = path.split(separator: ":").map(String.init) + systemFolders
        return folders.lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Starts a program in the namespaces of the calling thread.
    ///
    /// Descriptors left out are /dev/null. The caller must reap it.
    static func start(
        _ path: String,
        _ arguments: [String],
        environment: [String]? = nil,
        input: Int32 = -1,
        output: Int32 = -1,
        error: Int32 = -1,
        newSession: Bool
    ) throws(KernelError) -> pid_t {
        let operation = "start \(path)"
        guard !(arguments + (environment ?? [])).contains(where: { $0.utf8.contains(0) }) else {
            throw KernelError(.failed, operation, "an argument has a NUL character")
        }
        let argumentVector = CStrings(arguments)
        let environmentVector = environment.map(CStrings.init)
        var pid: pid_t = 0
        let code = clinux_spawn(
            &pid,
            path,
            argumentVector.pointers,
            environmentVector?.pointers ?? environ,
            input,
            output,
            error,
            newSession
        )
        guard code == 0 else { throw .system(code, operation) }
        return pid
    }

    /// Waits for a child to end and takes its status away; blocks.
    ///
    /// First at its pidfd: waitpid alone would also take away the stops of a child that a thread of ours traces.
    @discardableResult
    static func reap(_ pid: pid_t) -> Int32 {
        let result = clinux_pidfd_open(pid)
        if result >= 0 {
            let handle = Descriptor(result)
            while Poll.firstReadable([handle.number], within: .seconds(3600)) == nil {}
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status
    }
}

/// A NULL-terminated vector of C strings that lives as long as this object.
private final class CStrings {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
        pointers[count] = nil
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}
