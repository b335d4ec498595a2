// The state of parts of this machine as text. Everything is read anew, past what the engines of faults remember.

package import ChaosModel

/// Reads the state of parts on Linux.
package struct LinuxState: StatePort {
    private let processes = LinuxProcesses()
    private let groups = LinuxControlGroups()
    private let clocks = LinuxClocks()

    /// Makes the port.
    package init() {}

    package func lines(of part: StatePart) throws(KernelError) -> [StateLine] {
        switch part {
        case .network(let namespace):
            try LinuxNamespaces.withinAnyWay(namespace) { () throws(KernelError) in
                try Self.rules() + LinkState.lines()
            }
        case .process(let identity): try process(identity)
        case .setting(let group, let file, _): try setting(file, of: group)
        case .groups(let group):
            try Self.entries(in: group.folder, prefix: ControlGroup.ownPrefix, as: "group")
        case .folder(let path): try folder(path)
        case .nameFile(let place, let method): try nameFile(of: place, method)
        }
    }

    // MARK: Packet rules

    /// The tables of nft, in the namespace of the calling thread; those of iptables too where it is nft's.
    private static func rules() throws(KernelError) -> [StateLine] {
        // Where there is no nf_tables there are none of its tables.
        guard NftContext.obstacle() == nil else { return [] }
        let context = try NftContext()
        context.leaveCountersOut()
        do throws(NftContext.Refusal) {
            return tables(in: try context.run("list ruleset"))
        } catch {
            throw KernelError(.failed, "list the packet rules", error.text)
        }
    }

    /// Longer tables are told by their digest.
    private static let longestTable = 4096

    /// One line for each table of a listing.
    static func tables(in listing: String) -> [StateLine] {
        var found: [(name: String, words: [Substring])] = []
        for line in listing.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            if line.hasPrefix("table "), words.count > 2 {
                found.append(("table \(words[1]) \(words[2])", []))
            } else if !found.isEmpty, line != "}" {
                found[found.count - 1].words += words
            }
        }
        return found.map { name, words in
            let text = words.joined(separator: " ")
            guard text.utf8.count > longestTable else {
                return StateLine(name, text.isEmpty ? "empty" : text)
            }
            return StateLine(
                name,
                "\(text.utf8.count) bytes, sha256 \(SHA256.hexDigest(of: text.utf8))"
            )
        }
    }

    // MARK: Processes

    private func process(_ identity: ProcessIdentity) throws(KernelError) -> [StateLine] {
        guard let process = try processes.snapshot(of: identity) else {
            return [StateLine(StateWords.state, StateWords.ended)]
        }
        let isStopped = process.state == "T" || process.state == "t"
        var lines = [StateLine(StateWords.state, isStopped ? StateWords.stopped : "runs")]
        let tracer = try processes.tracer(of: identity)
        lines.append(StateLine(StateWords.tracer, tracer.map { "process \($0)" } ?? "none"))
        // Who may not change these may not read them either, and has not changed them.
        if let limit = try? processes.fileLimit(of: identity) {
            lines.append(StateLine(StateWords.openFiles, "\(limit.soft)"))
        }
        if let clock = try? clocks.clock(of: identity) {
            let offset = clock.offset == 0 ? "true" : "off by \(clock.offset) ns"
            lines.append(StateLine(StateWords.clock, offset))
        }
        return lines
    }

    // MARK: Control groups

    /// A setting of a controller, and no other file: whoever asks may have fewer rights than this process.
    private func setting(_ file: String, of group: ControlGroup) throws(KernelError) -> [StateLine]
    {
        let controllers = ControlGroupController.allCases.map { $0.name(in: group.version) + "." }
        guard !file.contains("/"), controllers.contains(where: file.hasPrefix) else {
            throw KernelError(
                .failed,
                "read \(file) of \(group)",
                "it is no setting of a controller"
            )
        }
        let text = try groups.read(file, of: group)
        let lines = (text ?? "none").split(separator: "\n").joined(separator: "; ")
        return [StateLine(file, lines.isEmpty ? "empty" : lines)]
    }

    // MARK: Files

    private func folder(_ path: String) throws(KernelError) -> [StateLine] {
        let space = try FileSystemSpace.find(at: path)
        let used = (space.share * 100).rounded(.down)
        return try Self.entries(in: path, prefix: ".\(ControlGroup.ownPrefix)", as: "file")
            + [StateLine("space used", "\(Int(used))%")]
    }

    private static func entries(
        in folder: String,
        prefix: String,
        as kind: String
    ) throws(KernelError) -> [StateLine] {
        guard let names = try ProcFile.names(in: folder) else {
            throw KernelError(.gone, "list \(folder.escapedForDisplay)", "it is gone")
        }
        return names.filter { $0.hasPrefix(prefix) }.map { StateLine("\(kind) \($0)", "there") }
    }

    /// The digest of a file, and the edits of ours in it: its text may be nobody's to publish.
    private func nameFile(of place: NamePlace, _ method: NameMethod) throws(KernelError)
        -> [StateLine]
    {
        guard let path = method.file else { return [] }
        guard let bytes = try TargetRoot(place).bytes(path) else {
            return [StateLine(path, "none")]
        }
        let marks = Set(
            NameFile(bytes).lines.flatMap { line in
                String(decoding: line.bytes, as: UTF8.self)
                    .split { !$0.isLetter && !$0.isNumber && $0 != "_" }
                    .filter { $0.hasPrefix(ControlGroup.ownPrefix) }
            }
        )
        let edits = marks.isEmpty ? "" : ", edits \(marks.sorted().joined(separator: " "))"
        return [
            StateLine(
                path,
                "\(bytes.count) bytes, sha256 \(SHA256.hexDigest(of: bytes).prefix(16))\(edits)"
            )
        ]
    }
}
