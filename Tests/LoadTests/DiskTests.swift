// disk.fill and disk.io on file systems that each test mounts for itself.

import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

@testable import ChaosLinux

@Suite(
    .serialized,
    .enabled(if: geteuid() == 0, "SKIPPED: needs root, for mounts")
)
struct `Disk load` {
    private let bench: Bench

    init() throws { bench = try Bench() }

    static let kinds = [("tmpfs", 64), ("ext4", 96), ("ext2", 64), ("xfs", 320), ("btrfs", 256)]

    @Test(arguments: kinds)
    func `df says what was asked, with fallocate or without`(_ kind: String, _ megabytes: Int)
        async throws
    {
        guard Mounted.canMake(kind) else {
            return print("SKIPPED: no mkfs.\(kind), or the kernel has no \(kind)")
        }
        let disk = try Mounted(kind, megabytes: megabytes)
        let before = try disk.df()
        for asked in [50.0, 90] {
            let options: [String: ParameterValue] = [
                "path": .string(disk.path), "to": .string("\(Int(asked))%"),
            ]
            try await bench.with("disk.fill", options) { held in
                let (used, effect) = (try disk.df(), try await held.effect())
                print("\(kind): asked \(asked) %, df says \(used) %: \(effect.seen)")
                #expect(abs(used - asked) <= 1)
                #expect(abs(effect.figure("measured") - asked) <= 1)
                #expect(effect.seen.contains("no fallocate") == (kind == "ext2"))
                #expect(try disk.run("ls -A $M | grep -v lost+found | wc -l") == "0\n")
            }
            let after = try disk.df()
            #expect(abs(after - before) <= 1, "all of it is free again")
        }
        withExtendedLifetime(disk) {}
    }

    @Test
    func `a size is taken to the byte, in files with names where that is asked for`() async throws {
        let disk = try Mounted("tmpfs", megabytes: 64)
        let options: [String: ParameterValue] = [
            "path": .string(disk.path), "size": "10MiB", "visible": .boolean(true),
        ]
        try await bench.with("disk.fill", options) { held in
            #expect(held.plan.holder == .journal)
            #expect(try await held.effect().figure("measured") == Double(10 << 20))
            #expect(try disk.run("stat -c %s $M/.moonquake_*") == "\(10 << 20)\n")
            // The file outlives the worker, as a forgotten log would; recovery removes it.
            kill(try held.worker(), SIGKILL)
            _ = await held.type.endedEarly(held.plan.undo, bench.kernel)
            #expect(try disk.run("ls -A $M | wc -l") == "1\n")
        }
        #expect(try disk.run("ls -A $M | wc -l") == "0\n")
        withExtendedLifetime(disk) {}
    }

    @Test(.rounds)
    func `a file system is filled to the last byte but for keep_free, and all is back at once`()
        async throws
    {
        let disk = try Mounted("ext4", megabytes: 96)
        let before = try disk.run("df --output=avail -B1 $M | tail -1")
        for keep in [0, 8 << 20] {
            let options: [String: ParameterValue] = [
                "path": .string(disk.path), "to": "100%", "keep_free": .string("\(keep)B"),
            ]
            try await bench.with("disk.fill", options) { held in
                let left = Double(
                    try disk.run("df --output=avail -B1 $M | tail -1").filter(\.isNumber)
                )
                print("keep_free \(keep): \(left ?? -1) bytes are left")
                #expect(abs((left ?? -1) - Double(keep)) <= 65536)
                let worker = try held.worker()
                kill(worker, SIGKILL)
                let began = LoadClock.now
                let isBack = try await comes {
                    try disk.run("df --output=avail -B1 $M | tail -1") == before
                }
                print("after kill -9 of the worker all was back in \(LoadClock.now - began) s")
                #expect(isBack && LoadClock.now - began < 1, .ofFigure)
            }
        }
        withExtendedLifetime(disk) {}
    }

    @Test(
        .enabled(
            if: Mounted.canMake("btrfs"),
            "SKIPPED: the kernel has no btrfs: this runs in the lab"
        )
    )
    func `btrfs counts late, but what a killed worker held can be written at once`() async throws {
        let disk = try Mounted("btrfs", megabytes: 256)
        let options: [String: ParameterValue] = ["path": .string(disk.path), "to": "90%"]
        try await bench.with("disk.fill", options) { held in
            #expect(throws: KernelError.self) {
                try disk.run("dd if=/dev/zero of=$M/big bs=1M count=100 conv=fsync 2>&1")
            }
            try disk.run("rm $M/big")
            kill(try held.worker(), SIGKILL)
            _ = await held.type.endedEarly(held.plan.undo, bench.kernel)
            try disk.run("dd if=/dev/zero of=$M/big bs=1M count=100 conv=fsync 2>&1")
        }
        withExtendedLifetime(disk) {}
    }

    @Test
    func `links and bind mounts are resolved, and the root and our own state are refused`()
        async throws
    {
        let disk = try Mounted("tmpfs", megabytes: 32)
        let folder = "/tmp/mql-\(UInt32.random(in: .min ... .max))"
        #expect(mkdir(folder, 0o700) == 0)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(symlink(disk.path, "\(folder)/link") == 0)
        #expect(symlink("/usr", "\(folder)/root") == 0)
        let root = await bench.refusal(
            of: "disk.fill",
            ["path": .string("\(folder)/root"), "size": "1MiB"]
        )
        #expect(root.contains("(/usr) is on the root file system"), "\(root)")
        let state = await bench.refusal(
            of: "disk.fill",
            ["path": .string("\(folder)/link"), "size": "1MiB"],
            stateDirectory: "\(disk.path)/not/yet/there"
        )
        #expect(state.contains("holds Moonquake's own state"), "\(state)")
        let through: [String: ParameterValue] = ["path": .string("\(folder)/link"), "size": "1MiB"]
        try await bench.with("disk.fill", through, stateDirectory: "/tmp") { _ in
            let used = try disk.df()
            #expect(used >= 3)
        }
        // Bound elsewhere, it is the root file system still.
        try disk.run("mkdir $M/bound && mount --bind /usr $M/bound")
        let bind = await bench.refusal(
            of: "disk.fill",
            ["path": .string("\(disk.path)/bound"), "size": "1MiB"]
        )
        #expect(bind.contains("is on the root file system"), "\(bind)")
        let io = await bench.refusal(of: "disk.io", ["path": "/usr", "read": "1MB/s"])
        #expect(io.contains("is on the root file system"), "\(io)")
        // In the namespace of the mount a bind of it is the same file system.
        try disk.run("mkdir $M/a && mount --bind $M/a /mnt")
        let bound = disk.path.split(separator: "/").prefix(3).joined(separator: "/")
        let allowed: [String: ParameterValue] = ["path": .string("/\(bound)/mnt"), "size": "2MiB"]
        let before = try disk.df()
        try await bench.with("disk.fill", allowed) { _ in
            let used = try disk.df()
            #expect(used >= before + 5)
        }
        withExtendedLifetime(disk) {}
    }

    @Test
    func `a journal on the full file system still takes the end of a lease`() async throws {
        let disk = try Mounted("tmpfs", megabytes: 32)
        let journals = LinuxJournals(stateDirectory: "\(disk.path)/state")
        let journal = try journals.create(run: "full")
        try journal.reserve(4096)
        let options: [String: ParameterValue] = [
            "path": .string(disk.path), "to": "100%", "allow_root": .boolean(true),
        ]
        try await bench.with("disk.fill", options, stateDirectory: "\(disk.path)/state") { _ in
            #expect(throws: KernelError.self) {
                try disk.run("echo x > $M/x && sync $M/x && test -s $M/x")
            }
            try journal.append([String(repeating: "x", count: 1000)])
        }
        try journal.close()
        #expect(try journals.closedLines(of: "full")[0].count == 1)
        withExtendedLifetime(disk) {}
    }

    @Test
    func `a share of a very large file system is counted in whole bytes`() {
        let space = FileSystemSpace(
            folder: "/",
            device: 1,
            kind: "ext4",
            block: 4096,
            used: 0,
            available: 1 << 40
        )
        #expect(space.bytes(toUse: 0.005) == 5_497_556_992)
        let huge = FileSystemSpace(
            folder: "/",
            device: 1,
            kind: "xfs",
            block: 4096,
            used: 1 << 59,
            available: 1 << 59
        )
        #expect(huge.bytes(toUse: 0.75) == 1 << 58)
        #expect(huge.bytes(toUse: 0.25) < 0)
    }

    @Test(.rounds, arguments: [(true, 64), (false, 256)])
    func `reading and writing go as fast as asked, in blocks as large as asked`(
        _ isDirect: Bool,
        _ block: Int
    ) async throws {
        let disk = try Mounted("ext4", megabytes: 96)
        let options: [String: ParameterValue] = [
            "path": .string(disk.path), "read": "8MB/s", "write": "4MB/s", "file_size": "16MiB",
            "direct": .boolean(isDirect), "block": .string("\(block)KiB"),
        ]
        try await bench.with("disk.io", options) { held in
            let worker = try held.worker()
            func counts() throws -> (values: [Double], at: Double) {
                let text = try ProcFile.text("/proc/\(worker)/io") ?? ""
                let values = ["rchar", "wchar", "syscr", "syscw"].map {
                    Double(ProcessStatus.field($0, of: text) ?? "") ?? .nan
                }
                return (values, LoadClock.now)
            }
            let before = try counts()
            try await Task.sleep(for: .seconds(2))
            let after = try counts()
            let span = after.at - before.at
            let used = zip(after.values, before.values).map { ($0 - $1) / span }
            let (read, written) = (used[0], used[1])
            // A message of the agent is a call too.
            #expect(abs(read / used[2] / 1024 / Double(block) - 1) <= 0.1, .ofFigure("\(used)"))
            #expect(abs(written / used[3] / 1024 / Double(block) - 1) <= 0.1, .ofFigure("\(used)"))
            let effect = try await held.effect()
            print("asked 8 and 4 MB/s (direct \(isDirect)): \(read), \(written): \(effect.seen)")
            let tolerance = Bench.isTimed ? 0.1 : 0.3
            #expect(
                abs(read / 8e6 - 1) <= tolerance && abs(written / 4e6 - 1) <= tolerance,
                .ofFigure
            )
            #expect(abs(effect.figure("measured_read") / 8e6 - 1) <= tolerance, .ofFigure)
            #expect(abs(effect.figure("measured_write") / 4e6 - 1) <= tolerance, .ofFigure)
            #expect(try disk.run("ls -A $M | grep -v lost+found | wc -l") == "0\n")
        }
        withExtendedLifetime(disk) {}
    }

    private static let hasDiskLimits =
        ((try? LinuxControlGroups().group(at: "/", for: .io)) ?? nil) != nil

    @Test(
        .rounds,
        .enabled(if: hasDiskLimits, "SKIPPED: there is no io controller, v1 or v2"),
        arguments: [true, false]
    )
    func `limits of a group hold it back, and the former values are restored`(
        _ hadOne: Bool
    ) async throws {
        let disk = try Mounted("ext4", megabytes: 96)
        let process = try GroupedProcess([.io])
        let group = try process.group(.io)
        let device = try #require(try bench.loads.space(at: disk.path).disk)
        let files =
            group.version == .v1
            ? ["blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device"] : ["io.max"]
        let former = group.version == .v1 ? "\(device) 50000000" : "\(device) rbps=50000000"
        if hadOne { try LinuxControlGroups().write(former, to: files[0], of: group) }
        func limits() throws -> [String?] {
            try files.map { file in try LinuxControlGroups().read(file, of: group) }
        }
        let before = try limits()
        try disk.run("dd if=/dev/urandom of=$M/f bs=1M count=8 2>/dev/null; sync")
        let options: [String: ParameterValue] = [
            "path": .string(disk.path), "limit_read": "4MB/s", "limit_write": "4MB/s",
        ]
        try await bench.with("disk.io", on: process.target, options) { held in
            #expect(held.plan.holder == .journal)
            let file = "\(disk.path)/f"
            for way in [
                "if=\(file) iflag=direct of=/dev/null", "if=/dev/zero of=\(file) oflag=direct",
            ] {
                let began = LoadClock.now
                try Mounted.run(
                    "echo $$ >\(group.folder)/cgroup.procs; "
                        + "exec dd \(way) conv=notrunc bs=64k count=128 2>/dev/null"
                )
                let took = LoadClock.now - began
                print("dd \(way): 8 MiB under a limit of 4 MB/s in \(took) s")
                // 2.1 s; the program itself and its blocks before the first count are some tenths.
                #expect(took > 1.85)
                if Bench.isTimed { #expect(took < 2.6, .ofFigure) }
            }
        }
        #expect(try limits() == before)
        // What somebody else writes meanwhile stays; the rest of ours does not.
        let held = try await bench.make("disk.io", on: process.target, options)
        let other = group.version == .v1 ? "\(device) 30000000" : "\(device) rbps=30000000"
        try LinuxControlGroups().write(other, to: files[0], of: group)
        #expect(try await held.end().contains("somebody else changed it meanwhile"))
        let after = try limits().map { $0 ?? "" }.joined()
        #expect(after.contains("30000000") && !after.contains("4000000"), "\(after)")
        withExtendedLifetime((disk, process)) {}
    }
}
