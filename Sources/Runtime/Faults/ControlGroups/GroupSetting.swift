// A value in a file of a control group that a fault changes for its time: what it was, to the byte, and what it
// becomes. The group is that of the target, with everything that runs in it.

import ChaosModel

/// One changed value.
struct GroupSetting: Codable, Sendable {
    var group: ControlGroup
    var file: String
    /// The text of the file before.
    var former: String
    /// What is written.
    ///
    /// Nil when the group has that value already, so that nothing is changed or put back: the
    /// group's other processes may be targets of the same fault.
    var asked: String?

    /// The file, where it is changed.
    var touches: [StatePart] {
        asked.map { [.setting(group: group, file: file, asked: $0)] } ?? []
    }

    /// Writes the value.
    func apply(on kernel: Kernel) throws(FaultError) {
        guard let asked else { return }
        try kernelCall { () throws(KernelError) in
            try kernel.groups.write(asked, to: file, of: group)
        }
    }

    /// The text of the file now.
    func current(on kernel: Kernel) throws(FaultError) -> String {
        let text = try kernelCall { () throws(KernelError) in
            try kernel.groups.read(file, of: group)
        }
        guard let text else { throw .noEffect("\(group) has no file \(file) any more") }
        return text
    }

    /// Whether the value is in force.
    func isInForce(on kernel: Kernel) throws(FaultError) -> Bool {
        guard let asked else { return true }
        return try current(on: kernel) == asked + "\n"
    }

    /// Writes the former value, unless somebody else has written another meanwhile.
    func restore(on kernel: Kernel) throws(FaultError) {
        guard asked != nil, try isInForce(on: kernel) else { return }
        try kernelCall { () throws(KernelError) in
            try kernel.groups.write(former, to: file, of: group)
        }
    }

    /// Reads back that the former value is there.
    func verifyRestored(on kernel: Kernel) throws(FaultError) -> Effect {
        guard asked != nil else { return Effect("\(file) of \(group) was not changed") }
        let now = try current(on: kernel)
        if now == former { return Effect("\(file) of \(group) is \(former.shown) again") }
        guard try !isInForce(on: kernel) else {
            throw .noEffect("\(file) of \(group) is still \(now.shown) instead of \(former.shown)")
        }
        return Effect(
            "\(file) of \(group) is \(now.shown): somebody else changed it meanwhile, so it was left alone"
        )
    }
}

extension String {
    /// The text of a file on one line.
    fileprivate var shown: String {
        split(whereSeparator: \.isNewline).joined(separator: " ").escapedForDisplay
    }
}

extension Kernel {
    /// The control group of a target, when a fault may limit it: not the root, not one that holds us.
    func limitableGroup(
        of target: Target,
        for controller: ControlGroupController,
        _ fault: String
    ) throws(FaultError) -> ControlGroup {
        let process = try target.process(for: fault)
        let (group, reason) = try kernelCall { () throws(KernelError) in
            let group = try groups.group(of: process, for: controller)
            return (group, try reasonToLeave(group, for: controller))
        }
        if let reason { throw .refused("\(fault): \(target) is in \(group): \(reason)") }
        return group
    }

    /// Why nothing in a group may be limited; nil when it may.
    private func reasonToLeave(
        _ group: ControlGroup,
        for controller: ControlGroupController
    ) throws(KernelError) -> String? {
        if group.isRoot {
            return
                "the root of its hierarchy cannot be limited; start the process in a group of its own "
                + "(systemd does; by hand: mkdir, then its pid into cgroup.procs)"
        }
        // Where our own processes cannot be placed (another namespace), the target's group was not found either.
        for pid in host.ancestry() {
            guard let own = try processes.snapshot(pid: pid)?.identity else { continue }
            let place = try? groups.group(of: own, for: controller)
            if let place, group.contains(place) {
                return "moonquake itself runs in it (process \(pid)), and would be hit"
            }
        }
        return nil
    }

    /// Refuses, before anything is done, a file that cannot be written.
    func requireWritable(_ file: String, of group: ControlGroup) throws(FaultError) {
        let obstacle = try kernelCall { () throws(KernelError) in
            try groups.obstacle(to: file, of: group)
        }
        if let obstacle { throw .unavailable("\(file) of \(group): \(obstacle)") }
    }

    /// The text of a file that a fault is going to change.
    func setting(_ file: String, of group: ControlGroup, asked: String) throws(FaultError)
        -> GroupSetting
    {
        var setting = GroupSetting(group: group, file: file, former: "", asked: asked)
        setting.former = try setting.current(on: self)
        if setting.former == asked + "\n" { setting.asked = nil }
        return setting
    }

    /// How many processes are in a group and below it, in words.
    func population(of group: ControlGroup) throws(FaultError) -> String {
        let count = try kernelCall { () throws(KernelError) -> Int in
            var count = try groups.members(of: group).count
            for below in try groups.groups(below: group) {
                count += try groups.members(of: below).count
            }
            return count
        }
        return count == 1 ? "1 process" : "\(count) processes"
    }
}
