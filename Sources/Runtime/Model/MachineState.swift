// The state of what a run can touch, as text that is the same whenever nothing was changed: taken before the first fault
// and after the rollback, and compared. It does not ask what the faults think that they did.
//
// Others change the same machine meanwhile. What bears the mark of the run, or is what one of its faults would have left,
// is leaked; any other difference is told, and is no leak.

/// A part of the machine that a fault changes.
package enum StatePart: Sendable, Hashable, Codable {
    /// Packet rules, queues, filters and interfaces.
    case network(namespace: NetworkNamespace)
    /// Whether a process stands still, who traces it, its limit of open files, and its clock.
    case process(identity: ProcessIdentity)
    /// A file of a control group, into which a fault writes a value.
    case setting(group: ControlGroup, file: String, asked: String)
    /// Groups of ours below a control group.
    case groups(below: ControlGroup)
    /// Files of ours in a folder, and how full its file system is.
    case folder(path: String)
    /// resolv.conf or hosts.
    case nameFile(place: NamePlace, method: NameMethod)
}

extension StatePart: CustomStringConvertible {
    package var description: String {
        switch self {
        case .network(let namespace): "network namespace \(namespace.path)"
        case .process(let identity): "process \(identity.pid)"
        case .setting(let group, let file, _): "\(file) of \(group)"
        case .groups(let group): "groups below \(group)"
        case .folder(let path): path.escapedForDisplay
        case .nameFile(let place, let method):
            "\(method.file ?? "names") of "
                + (place.process.map { "process \($0.pid)" } ?? place.overlay ?? "this host")
        }
    }
}

/// One thing of a part, and how it is.
package struct StateLine: Sendable, Hashable, Codable, CustomStringConvertible {
    /// What it is; no other line of the part has the same.
    package var name: String
    /// How it is, without counters and times.
    package var value: String

    /// Makes a line.
    package init(_ name: String, _ value: String) {
        (self.name, self.value) = (name, value)
    }

    package var description: String { "\(name): \(value)" }
}

/// A part at one moment.
package struct PartState: Sendable, Hashable, Codable {
    /// The part.
    package var part: StatePart
    /// Its lines, in the order of their names.
    package var lines: [StateLine]
    /// Why it could not be read; nil when it could.
    package var problem: String?

    /// Makes a state.
    package init(_ part: StatePart, _ lines: [StateLine], problem: String? = nil) {
        self.part = part
        self.lines = lines.sorted { $0.name < $1.name }
        self.problem = problem
    }
}

/// Reads the state of parts.
package protocol StatePort: Sendable {
    /// The lines of a part now.
    ///
    /// Reads only. Throws `gone` when there is no such part any more.
    func lines(of part: StatePart) throws(KernelError) -> [StateLine]
}

/// A machine whose state cannot be read.
package struct NoState: StatePort {
    /// Makes the port.
    package init() {}

    package func lines(of part: StatePart) throws(KernelError) -> [StateLine] {
        throw KernelError(.unsupported, "read the state of \(part)", "not on this machine")
    }
}

/// How a part was before the first fault, and how it is after the rollback.
package struct StateComparison: Sendable {
    /// One thing that is not as it was.
    package struct Difference: Sendable, Hashable, CustomStringConvertible {
        package var name: String
        /// Nil when it was not there.
        package var before: String?
        /// Nil when it is not there any more.
        package var after: String?
        /// Whether a fault of the run left it.
        package var isLeak: Bool

        package var description: String {
            let what = "\(name): \(before ?? "none") -> \(after ?? "none")"
            return isLeak ? what : "\(what) (changed meanwhile, by none of the faults)"
        }
    }

    package let before: PartState
    package let after: PartState
    /// What is not as it was; empty too when one of the two could not be read.
    package let differences: [Difference]

    /// Compares two states of one part.
    ///
    /// The name of the run is in the names of what is its own.
    package init(before: PartState, after: PartState, run: String) {
        self.before = before
        self.after = after
        guard before.problem == nil, after.problem == nil else {
            differences = []
            return
        }
        let mark = "moonquake_\(LeaseID.stem(of: run))"
        let (old, new) = (Self.values(before), Self.values(after))
        differences = Set(old.keys).union(new.keys).sorted().compactMap { name in
            guard old[name] != new[name] else { return nil }
            return Difference(
                name: name,
                before: old[name],
                after: new[name],
                isLeak: Self.isLeak(name, old, new, of: before.part, mark)
            )
        }
    }

    /// Why nothing can be said; nil when it can.
    package var problem: String? { before.problem ?? after.problem }

    private static func values(_ state: PartState) -> [String: String] {
        Dictionary(state.lines.map { ($0.name, $0.value) }) { first, _ in first }
    }

    private static func isLeak(
        _ name: String,
        _ old: [String: String],
        _ new: [String: String],
        of part: StatePart,
        _ mark: String
    ) -> Bool {
        guard let after = new[name] else { return false }
        let text = "\(name) \(after)"
        if text.contains(mark) { return true }
        switch part {
        // One run at a time changes a namespace, so that whatever is marked there is its own.
        case .network: return text.contains("moonquake") || isOfKeptLink(name, old, new)
        case .process: return StateWords.isWorse(name, after, than: old[name])
        case .setting(_, _, let asked): return after.contains(asked)
        case .groups, .folder, .nameFile: return false
        }
    }

    /// Whether it is a queue or filter of an interface that was there before: nobody's faults but ours are that.
    private static func isOfKeptLink(
        _ name: String,
        _ old: [String: String],
        _ new: [String: String]
    ) -> Bool {
        let words = name.split(separator: " ")
        guard words.count > 2, words[0] == "queue" || words[0] == "filter" else { return false }
        let link = "link \(words[2])"
        return old[link] != nil && new[link] != nil
    }
}

/// The words of the lines that a comparison must understand.
package enum StateWords {
    package static let state = "state"
    package static let tracer = "tracer"
    package static let openFiles = "open files"
    package static let clock = "clock"
    package static let ended = "ended"
    package static let stopped = "stopped"

    /// Whether something of a process is as a fault would have left it.
    static func isWorse(_ name: String, _ after: String, than before: String?) -> Bool {
        switch name {
        case state: after == stopped
        case tracer: after != "none"
        case openFiles: (Int(after) ?? .max) < (Int(before ?? "") ?? .max)
        case clock: after != "true"
        default: false
        }
    }
}
