// Faults on this machine, step by step as the agent takes them: plan, inject, verify, effect, revert, verify.

import ChaosFaults
import ChaosLinux
import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

extension Kernel {
    /// This machine; no fault here has a packet worker.
    static let real = Kernel(
        processes: LinuxProcesses(),
        groups: LinuxControlGroups(),
        loads: LinuxLoads(worker: []),
        packets: LinuxPacketFilter(),
        shaping: LinuxTrafficShaper(worker: []),
        requests: LinuxRequestFaults(worker: []),
        names: LinuxNameFaults(responder: [], lookup: []),
        network: LinuxNetwork(),
        host: LinuxHost(),
        time: LinuxTime(),
        tasks: LinuxTasks(),
        clocks: LinuxClocks()
    )
}

/// One fault on one process.
struct FaultTrial {
    let type: FaultType
    let fault: FaultInstance
    let target: Target
    let plan: FaultPlan<AnyUndo>
    let kernel: Kernel

    /// Plans it.
    init(
        _ name: String,
        _ options: [String: ParameterValue] = [:],
        on process: ProcessIdentity,
        kernel: Kernel = .real
    ) async throws {
        let target = Target.process(name: "victim", process)
        let spec = FaultSpec(
            fault: name,
            target: TargetSelector(kind: .process, options: ["pid": .number(Double(process.pid))]),
            options: options
        )
        type = try #require(FaultCatalogue.all[name])
        (fault, _) = try FaultCatalogue.all.instance(spec)
        self.target = target
        self.kernel = kernel
        let lease = LeaseID("test\(UInt32.random(in: .min ... .max))")
        plan = try await fault.plan(target, PlanContext(lease: lease), kernel)
    }

    /// Makes it and reads back that it took effect.
    @discardableResult
    func inject() async throws -> Effect {
        try await fault.inject(plan.undo, kernel)
        return try await fault.verify(plan.undo, kernel)
    }

    /// Measures it.
    func effect() async throws -> Effect { try await type.effect(plan.undo, kernel) }

    /// Puts it back, from the undo as a journal would give it to a fresh process, and measures again.
    @discardableResult
    func revert(on kernel: Kernel? = nil) async throws -> Effect {
        try await type.revert(plan.undo, kernel ?? self.kernel)
        return try await type.verifyReverted(plan.undo, kernel ?? self.kernel)
    }
}

/// A process of one test, ended with it.
final class Victim: Sendable {
    let identity: ProcessIdentity
    private let folder: String

    /// Starts a program and waits until the kernel shows its command line.
    init(_ arguments: [String]) throws {
        folder = ""
        identity = try LinuxProcesses().start(arguments)
        _ = try eventually {
            try LinuxProcesses().snapshot(of: identity)?.arguments.isEmpty != true
        }
    }

    /// Starts a shell script.
    convenience init(script: String) throws { try self.init(["/bin/bash", "-c", script]) }

    var pid: Int32 { identity.pid }

    /// The state letter; nil when it has ended.
    var state: Character? {
        (try? LinuxProcesses().snapshot(of: identity))?.map { $0.state } ?? nil
    }

    /// Its children.
    var children: [ProcessSnapshot] {
        (try? LinuxProcesses().descendants(of: [identity])) ?? []
    }

    func signal(_ number: Int32) { _ = try? LinuxProcesses().signal(identity, number) }

    deinit {
        for child in children { _ = try? LinuxProcesses().signal(child.identity, SIGKILL) }
        signal(SIGKILL)
    }
}

/// The text of a small file; empty when it is not there.
func text(_ path: String) -> String {
    (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
}

/// A control group of one test; whatever is in it is ended at the end.
final class TestGroup: Sendable {
    let group: ControlGroup
    private let groups = LinuxControlGroups()

    /// Makes it in the root of a controller's hierarchy.
    init(_ controller: ControlGroupController) throws {
        let probe = try Self.root(controller)
        group = try groups.make("moonquake_test_\(UInt32.random(in: .min ... .max))", below: probe)
    }

    /// The root, where v2 has no controllers: found by what every group has.
    private static func root(_ controller: ControlGroupController) throws -> ControlGroup {
        let groups = LinuxControlGroups()
        if let found = try? groups.group(at: "/", for: controller) { return found }
        var found = try #require(try groups.group(at: "/", for: .cpuacct))
        found.controller = controller
        return found
    }

    /// Starts a script in it.
    func start(_ script: String) throws -> Victim {
        // It begins when it is where it belongs, so that what it uses is counted there.
        let mark = "/tmp/mqp-mark-\(UInt32.random(in: .min ... .max))"
        let wait =
            "while [[ $(</proc/self/cgroup) != *\(group.path)* ]]; do sleep 0.01; done; : >\(mark); "
        let victim = try Victim(script: wait + script)
        try groups.move(victim.pid, into: group)
        guard eventually(holds: { unlink(mark) == 0 }) else {
            throw KernelError(.failed, "start a script in \(group)", "it does not begin")
        }
        return victim
    }

    func read(_ file: String) throws -> String? { try groups.read(file, of: group) }
    func write(_ text: String, to file: String) throws {
        try groups.write(text, to: file, of: group)
    }

    deinit {
        let folder = group.folder
        for _ in 0..<1000 {
            for pid in text("\(folder)/cgroup.procs").split(separator: "\n").compactMap({
                Int32($0)
            }) {
                kill(pid, SIGKILL)
            }
            if rmdir(folder) == 0 || errno == ENOENT { return }
            usleep(2000)
        }
    }
}

/// Makes an empty file.
func touch(_ path: String) {
    let number = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    if number >= 0 { close(number) }
}
