// What the tests of loads share: faults on this machine's real kernel, processes in control groups of their own, file
// systems in a mount namespace of their own. All of it ends with its owner.

import ChaosFaults
import ChaosModel
import Foundation
import Glibc
import Testing

@testable import ChaosLinux

/// Loads on the real kernel.
final class Bench: Sendable {
    let loads: LinuxLoads
    let kernel: Kernel

    /// Whether times and shares mean something: the lab's processor is emulated, and there is only one.
    static let isTimed = getenv("MOONQUAKE_LAB") == nil

    init() throws {
        loads = LinuxLoads(worker: [try Self.fixture(), "load"])
        kernel = Kernel(
            processes: LinuxProcesses(),
            groups: LinuxControlGroups(),
            loads: loads,
            packets: LinuxPacketFilter(),
            shaping: LinuxTrafficShaper(worker: []),
            requests: LinuxRequestFaults(worker: []),
            names: LinuxNameFaults(responder: [], lookup: []),
            network: LinuxNetwork(),
            host: LinuxHost(),
            time: LinuxTime()
        )
    }

    /// The worker beside the test bundle.
    private static func fixture() throws -> String {
        let candidates =
            [CommandLine.arguments.first, ProcFile.link("/proc/self/exe")]
            .compactMap { $0 } + CommandLine.arguments
        for candidate in candidates {
            var folder = candidate.split(separator: "/")
            while !folder.isEmpty {
                folder.removeLast()
                let path = "/" + (folder + ["queue-worker"]).joined(separator: "/")
                if access(path, X_OK) == 0 { return path }
            }
        }
        throw KernelError(.gone, "find the test's worker", "not beside \(candidates)")
    }

    /// Makes a fault as the agent does, hands it over, and puts it back whatever happens.
    func with<Value>(
        _ fault: String,
        on target: Target = .host,
        _ options: [String: ParameterValue],
        stateDirectory: String? = nil,
        _ body: (HeldLoad) async throws -> Value
    ) async throws -> Value {
        let held = try await make(fault, on: target, options, stateDirectory: stateDirectory)
        do {
            let value = try await body(held)
            try await held.end()
            return value
        } catch {
            _ = try? await held.end()
            throw error
        }
    }

    /// Makes a fault; the caller ends it.
    func make(
        _ fault: String,
        on target: Target = .host,
        _ options: [String: ParameterValue],
        stateDirectory: String? = nil
    ) async throws -> HeldLoad {
        let type = try #require(FaultCatalogue.all[fault])
        let parameters = try type.descriptor.parameterSet.validate(options)
        let instance = try type.make(parameters)
        let lease = LeaseID(String(UInt64.random(in: .min ... .max), radix: 36))
        let context = PlanContext(lease: lease, stateDirectory: stateDirectory)
        let plan = try await instance.plan(target, context, kernel)
        let held = HeldLoad(bench: self, type: type, lease: lease, plan: plan)
        do {
            try await instance.inject(plan.undo, kernel)
            held.verified = try await instance.verify(plan.undo, kernel)
        } catch {
            _ = try? await held.end()
            throw error
        }
        return held
    }

    /// Plans only; returns the error's text.
    func refusal(
        of fault: String,
        on target: Target = .host,
        _ options: [String: ParameterValue],
        stateDirectory: String? = nil
    ) async -> String {
        do {
            try await make(fault, on: target, options, stateDirectory: stateDirectory).end()
            return "not refused"
        } catch {
            return "\(error)"
        }
    }
}

/// A fault that is on.
final class HeldLoad {
    let bench: Bench
    let type: FaultType
    let lease: LeaseID
    let plan: FaultPlan<AnyUndo>
    var verified = Effect("")

    init(bench: Bench, type: FaultType, lease: LeaseID, plan: FaultPlan<AnyUndo>) {
        self.bench = bench
        self.type = type
        self.lease = lease
        self.plan = plan
    }

    var name: String { "moonquake_\(lease)" }

    /// What it does now.
    func effect() async throws -> Effect { try await type.effect(plan.undo, bench.kernel) }

    /// The worker that has this lease in its control group, or the only one.
    func worker() throws -> Int32 {
        for worker in bench.loads.workers {
            let text = try ProcFile.text("/proc/\(worker.pid)/cgroup") ?? ""
            if text.contains(name) || bench.loads.workers.count == 1 { return worker.pid }
        }
        throw KernelError(.gone, "find the worker of \(name)", "it has none")
    }

    /// Puts it back, twice, and measures.
    @discardableResult
    func end() async throws -> String {
        try await type.revert(plan.undo, bench.kernel)
        try await type.revert(plan.undo, bench.kernel)
        return try await type.verifyReverted(plan.undo, bench.kernel).seen
    }
}

extension Effect {
    func figure(_ name: String) -> Double {
        figures.first { $0.name == name }?.value ?? .nan
    }
}

/// A process in control groups of its own, one in each hierarchy.
final class GroupedProcess: Sendable {
    let groups: [ControlGroup]
    let process: ProcessIdentity

    var target: Target { .process(name: "sleep", process) }

    init(_ controllers: [ControlGroupController]) throws {
        let port = LinuxControlGroups()
        let name = "moonquake_test_\(UInt32.random(in: .min ... .max))"
        var made: [ControlGroup] = []
        for controller in controllers {
            let root = try #require(try port.group(at: "/", for: controller))
            let group = try port.make(name, below: root)
            if !made.contains(where: { $0.folder == group.folder }) { made.append(group) }
        }
        groups = made
        process = try LinuxProcesses().start(["sleep", "600"])
        for group in made { try port.move(process.pid, into: group) }
    }

    /// The group of a controller.
    func group(_ controller: ControlGroupController) throws -> ControlGroup {
        try LinuxControlGroups().group(of: process, for: controller)
    }

    /// Writes a file of whichever group has it.
    func write(_ text: String, v1: String, v2: String) throws {
        let port = LinuxControlGroups()
        for group in groups {
            let file = group.version == .v1 ? v1 : v2
            guard access("\(group.folder)/\(file)", F_OK) == 0 else { continue }
            return try port.write(text, to: file, of: group)
        }
        throw KernelError(.unsupported, "write \(v1) or \(v2)", "no group has it")
    }

    deinit {
        kill(process.pid, SIGKILL)
        for group in groups {
            for _ in 0..<1000 {
                for name in (try? ProcFile.names(in: group.folder)) ?? nil ?? []
                where name.hasPrefix("moonquake_") { rmdir("\(group.folder)/\(name)") }
                if rmdir(group.folder) == 0 || errno == ENOENT { break }
                usleep(2000)
            }
        }
    }
}

/// A file system of one test, in a mount namespace that ends with it.
final class Mounted: Sendable {
    private let holder: Process
    private let image: String?
    /// Where it is, seen from here.
    let path: String
    private let inside: String

    static func canMake(_ kind: String) -> Bool {
        guard geteuid() == 0 else { return false }
        if kind == "tmpfs" { return true }
        let known = (try? String(contentsOfFile: "/proc/filesystems", encoding: .utf8)) ?? ""
        let driver = kind == "ext2" ? "ext4" : kind
        let hasDriver =
            known.contains("\t\(driver)\n") || getenv("MOONQUAKE_LAB") != nil
        return hasDriver && Spawn.executable("mkfs.\(kind)") != nil
    }

    /// Makes one of a kind; all but tmpfs on a loop device.
    init(_ kind: String, megabytes: Int) throws {
        let name = "mql-\(UInt32.random(in: .min ... .max))"
        inside = "/tmp/\(name)"
        var mount = "mount -t tmpfs -o size=\(megabytes)M none \(inside)"
        if kind == "tmpfs" {
            image = nil
        } else {
            let file = "/tmp/\(name).img"
            image = file
            let driver = kind == "ext2" ? "ext4" : kind
            try Self.run("truncate -s \(megabytes)M \(file)")
            try Self.run("mkfs.\(kind) -q \(file)")
            mount = "mount -t \(driver) -o loop \(file) \(inside)"
        }
        holder = Process()
        holder.executableURL = URL(filePath: "/usr/bin/unshare")
        holder.arguments = [
            "-m", "--propagation", "private", "sh", "-c",
            "mkdir \(inside) && \(mount) && echo ready && exec sleep 600",
        ]
        let output = Pipe()
        holder.standardOutput = output
        try holder.run()
        path = "/proc/\(holder.processIdentifier)/root\(inside)"
        let said = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard said.hasPrefix("ready") else {
            throw KernelError(.unsupported, "mount \(kind)", "it was not: \(said)")
        }
    }

    /// The Use% that df prints.
    func df() throws -> Double {
        let text = try Self.run(
            "nsenter -t \(holder.processIdentifier) -m df --output=pcent \(inside) | tail -1"
        )
        return Double(text.filter(\.isNumber)) ?? .nan
    }

    /// Runs a command in the namespace; `$M` is the mount point.
    @discardableResult
    func run(_ command: String) throws -> String {
        try Self.run(
            "M=\(inside) nsenter -t \(holder.processIdentifier) -m sh -c '\(command)'"
        )
    }

    deinit {
        _ = try? Self.run("nsenter -t \(holder.processIdentifier) -m umount -l \(inside)")
        kill(holder.processIdentifier, SIGKILL)
        holder.waitUntilExit()
        rmdir(inside)
        if let image { unlink(image) }
    }

    @discardableResult
    static func run(_ command: String) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(),
            as: UTF8.self
        )
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw KernelError(.failed, command, text)
        }
        return text
    }
}
