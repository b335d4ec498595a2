// Control groups on this machine's own hierarchies, v1 or v2, and the texts of mounts that are hard to meet at will.

import ChaosModel
import ChaosThreads
import Foundation
import Glibc
import Testing

@testable import ChaosLinux

/// A group of one test, beside the one that runs it, with whatever is in it ended at the end.
final class TestGroup: Sendable {
    private let groups = LinuxControlGroups()
    let group: ControlGroup

    /// Makes it where a controller can be used.
    init(_ controller: ControlGroupController) throws {
        let name = "\(ControlGroup.ownPrefix)test_\(UInt32.random(in: .min ... .max))"
        guard let root = try Self.root(for: controller) else {
            throw KernelError(.unsupported, "make a test group", "no hierarchy for \(controller)")
        }
        group = try groups.make(name, below: root)
    }

    /// The root of a hierarchy; found from its mounts, since in v2 it has no controllers itself.
    private static func root(for controller: ControlGroupController) throws -> ControlGroup? {
        let mounts = ControlGroupMounts(mountinfo: try ProcFile.text("/proc/self/mountinfo") ?? "")
        guard let version = mounts.version(of: controller),
            let folder = mounts.folders(of: "/", controller, in: version).first
        else { return nil }
        var status = stat()
        stat(folder, &status)
        return ControlGroup(
            version: version,
            controller: controller,
            path: "/",
            folder: folder,
            inode: UInt64(status.st_ino)
        )
    }

    /// Starts a program in it.
    func start(_ arguments: [String]) throws -> ProcessIdentity {
        let process = try LinuxProcesses().start(arguments)
        try groups.move(process.pid, into: group)
        return process
    }

    deinit {
        let folder = group.folder
        for _ in 0..<500 {
            let text = (try? ProcFile.text("\(folder)/cgroup.procs")) ?? ""
            for pid in text.split(separator: "\n").compactMap({ Int32($0) }) { kill(pid, SIGKILL) }
            if rmdir(folder) == 0 || errno == ENOENT { return }
            usleep(2000)
        }
    }
}

struct ControlGroupTests {
    private let groups = LinuxControlGroups()

    @Test(arguments: ControlGroupController.allCases.filter { $0 != .io })
    func `the group of a process is found where it is listed`(
        _ controller: ControlGroupController
    ) throws {
        let test = try TestGroup(controller)
        let process = try test.start(["sleep", "60"])
        let found = try groups.group(of: process, for: controller)
        #expect(found == test.group)
        #expect(try groups.members(of: found) == [process.pid])
        #expect(try groups.group(at: found.path, for: controller) == found)
        #expect(!found.isRoot)
        #expect(found.isOurs)
        withExtendedLifetime(test) {}
    }

    @Test
    func `files are read and written, and restored byte for byte`() throws {
        let test = try TestGroup(.cpu)
        let (file, asked) =
            test.group.version == .v1
            ? ("cpu.cfs_quota_us", "25000") : ("cpu.max", "25000 100000")
        let before = try #require(try groups.read(file, of: test.group))
        #expect(try groups.obstacle(to: file, of: test.group) == nil)
        try groups.write(asked, to: file, of: test.group)
        #expect(try groups.read(file, of: test.group) == asked + "\n")
        try groups.write(before, to: file, of: test.group)
        #expect(try groups.read(file, of: test.group) == before)
        #expect(try groups.read("no.such", of: test.group) == nil)
        #expect(try groups.obstacle(to: "no.such", of: test.group)?.contains("no file") == true)
        #expect(throws: KernelError.self) {
            try groups.write("nonsense", to: file, of: test.group)
        }
    }

    @Test
    func `usage, limits and counts are told`() async throws {
        let memory = try TestGroup(.memory)
        #expect(try groups.memoryLimit(of: memory.group) == nil)
        #expect(try groups.memoryEvents(of: memory.group) == ControlGroupMemoryEvents())
        _ = try memory.start(["sleep", "60"])
        #expect(try groups.memoryInUse(of: memory.group) >= 0)
        let pids = try TestGroup(.pids)
        _ = try pids.start(["sleep", "60"])
        #expect(try groups.tasks(of: pids.group) == 1)
        #expect(try groups.taskLimit(of: pids.group) == nil)
        #expect(try groups.refusedTasks(of: pids.group) == 0)
        let cpu = try TestGroup(.cpu)
        #expect(try groups.throttling(of: cpu.group) == ControlGroupThrottling())
        let used = try TestGroup(.cpuacct)
        _ = try used.start(["sh", "-c", "while :; do :; done"])
        for _ in 0..<500 where try groups.processorTimeMs(of: used.group) < 20 { usleep(2000) }
        #expect(try groups.processorTimeMs(of: used.group) >= 20)
        try await groups.remove(used.group)
        withExtendedLifetime((memory, pids, cpu, used)) {}
    }

    @Test
    func `a group of ours is removed with what is in it, twice, and no other ever is`() async throws
    {
        let test = try TestGroup(.pids)
        let process = try test.start(["sleep", "60"])
        let inner = try groups.make("moonquake_inner", below: test.group)
        #expect(try groups.groups(below: test.group) == [inner])
        try await groups.remove(inner)
        try await groups.remove(test.group)
        #expect(try await LinuxProcesses().ended(process, within: .seconds(5)))
        try await groups.remove(test.group)
        #expect(throws: KernelError.self) { try groups.read("pids.max", of: test.group) }
        let error = #expect(throws: KernelError.self) {
            try groups.write("1", to: "pids.max", of: test.group)
        }
        #expect(error?.kind == .gone)
        var other = test.group
        other.path = "/user.slice"
        await #expect(throws: KernelError.self) { try await groups.remove(other) }
        #expect(throws: KernelError.self) { try groups.make("user", below: test.group) }
    }

    @Test
    func `a group that was made anew under the same path is another one`() async throws {
        let test = try TestGroup(.pids)
        try await groups.remove(test.group)
        #expect(mkdir(test.group.folder, 0o755) == 0)
        // The kernel may give the inode again; then there is nothing to tell them apart by.
        guard try groups.group(at: test.group.path, for: .pids) != test.group else { return }
        let error = #expect(throws: KernelError.self) {
            try groups.read("pids.max", of: test.group)
        }
        #expect(error?.kind == .gone)
    }

    @Test
    func `the root has no limits, and says what to do`() throws {
        let mounts = ControlGroupMounts(
            mountinfo: try #require(try ProcFile.text("/proc/self/mountinfo"))
        )
        let version = try #require(mounts.version(of: .pids))
        let folder = try #require(mounts.folders(of: "/", .pids, in: version).first)
        var status = stat()
        stat(folder, &status)
        let root = ControlGroup(
            version: version,
            controller: .pids,
            path: "/",
            folder: folder,
            inode: UInt64(status.st_ino)
        )
        #expect(try groups.obstacle(to: "pids.max", of: root)?.contains("root") == true)
    }

    @Test(.enabled(if: getuid() == 0, "NOT ROOT: cannot become another user"))
    func `what may not be written says so before it is tried`() throws {
        let test = try TestGroup(.pids)
        // Only this thread, by the raw call, so that other tests keep their rights.
        typealias Call = @convention(c) (UInt32) -> Int32
        let address = try #require(dlsym(nil, "setfsuid"))
        // SAFETY: this is its type, setfsuid(2).
        let setfsuid = unsafeBitCast(address, to: Call.self)
        let reason = try OwnThread.run { [group = test.group, groups] () throws(KernelError) in
            _ = setfsuid(65534)
            // Without its file system rights root is anybody.
            return try groups.obstacle(to: "pids.max", of: group)
        }
        #expect(reason?.contains("may not write") == true, "\(reason ?? "no reason")")
    }

    @Test(.enabled(if: isUnified, "NOT A PURE V2 HOST: this runs in the lab"))
    func `a controller that is not handed down is named with the file to write`() throws {
        let test = try TestGroup(.pids)
        let inner = try groups.make("moonquake_inner", below: test.group)
        defer { rmdir(inner.folder) }
        let error = #expect(throws: KernelError.self) {
            _ = try groups.group(at: inner.path, for: .memory)
        }
        #expect(error?.kind == .unsupported)
        #expect(
            error?.reason.contains("echo +memory > \(test.group.folder)/cgroup.subtree_control")
                == true,
            "\(String(describing: error))"
        )
        // What every group has is there all the same.
        #expect(try groups.group(at: inner.path, for: .cpuacct) == inner.looked(for: .cpuacct))
    }

    private static var isUnified: Bool {
        let mounts = ControlGroupMounts(
            mountinfo: (try? ProcFile.text("/proc/self/mountinfo")) ?? ""
        )
        return mounts.version(of: .memory) == .v2
    }

    @Test
    func `mounts are read as the kernel writes them`() {
        let hybrid = ControlGroupMounts(
            mountinfo: """
                31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
                32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct
                35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
                36 31 0:33 / /mnt/a\\040b rw - cgroup cgroup rw,blkio
                41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
                """
        )
        #expect(hybrid.version(of: .cpu) == .v1)
        #expect(hybrid.folders(of: "/a/b", .cpuacct, in: .v1) == ["/sys/fs/cgroup/cpu,cpuacct/a/b"])
        #expect(hybrid.folders(of: "/docker/ab", .memory, in: .v1) == ["/sys/fs/cgroup/memory"])
        #expect(hybrid.folders(of: "/docker/ab/x", .memory, in: .v1) == ["/sys/fs/cgroup/memory/x"])
        #expect(hybrid.folders(of: "/docker/abc", .memory, in: .v1).isEmpty)
        #expect(hybrid.folders(of: "/x", .io, in: .v1) == ["/mnt/a b/x"])
        #expect(hybrid.version(of: .pids) == .v2)
        #expect(hybrid.folders(of: "/x", .pids, in: .v2) == ["/sys/fs/cgroup/unified/x"])
        #expect(hybrid.folders(of: "/../other", .pids, in: .v2).isEmpty)
        let namespaced = ControlGroupMounts(
            mountinfo: "41 31 0:38 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
        )
        #expect(namespaced.folders(of: "/", .pids, in: .v2).isEmpty)
        #expect(ControlGroupMounts(mountinfo: "").version(of: .pids) == nil)
    }

    @Test
    func `the path of a process is that of the controller's hierarchy`() {
        let text = "12:cpu,cpuacct:/a\n4:memory:/b:c\n3:name=systemd:/s\n7:blkio:/d\n0::/u\n"
        #expect(ControlGroupFile.path(of: text, for: .cpu, in: .v1) == "/a")
        #expect(ControlGroupFile.path(of: text, for: .memory, in: .v1) == "/b:c")
        #expect(ControlGroupFile.path(of: text, for: .io, in: .v1) == "/d")
        #expect(ControlGroupFile.path(of: text, for: .pids, in: .v1) == nil)
        #expect(ControlGroupFile.path(of: text, for: .pids, in: .v2) == "/u")
    }
}

extension ControlGroup {
    fileprivate func looked(for controller: ControlGroupController) -> ControlGroup {
        var group = self
        group.controller = controller
        return group
    }
}
