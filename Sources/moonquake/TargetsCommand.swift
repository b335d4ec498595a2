// `moonquake targets`: what could be a target here, and why what cannot cannot. It only reads.

import ArgumentParser
import ChaosLinux
import ChaosModel
import ChaosTargets

struct TargetsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "targets",
        abstract: "Lists what could be a target here.",
        discussion: """
            Without arguments: the host, named network namespaces, containers and systemd units. A kind lists \
            that kind, and options narrow it as in a script: `moonquake targets process name=nginx`, \
            `moonquake targets container label=app=web`.
            """
    )

    @Argument(help: "A kind: \(TargetKind.allCases.map(\.rawValue).joined(separator: ", ")).")
    var kind: String?

    @Argument(help: ArgumentHelp("Options of the selector.", valueName: "option=value"))
    var options: [String] = []

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    /// One line of the list.
    private struct Entry: Encodable {
        var kind: TargetKind
        var name: String
        var processes: [Int32]
        var namespace: UInt64?
        /// Why it is never hit; nil when it may be.
        var protected: String?
    }

    func run() async throws {
        let entries: [Entry]
        if kind == nil { entries = try await overview() } else { entries = try await chosen() }
        if json {
            Console.output(try WireJSON.pretty(entries))
        } else {
            for entry in entries { Console.output(Self.line(entry)) }
        }
    }

    private static func line(_ entry: Entry) -> String {
        let kind = entry.kind.rawValue.padded(to: 10)
        let name = entry.name.escapedForDisplay.padded(to: 32)
        let pids = entry.processes.prefix(8).map { "\($0)" }.joined(separator: " ")
        let more = entry.processes.count > 8 ? " … (\(entry.processes.count))" : ""
        let protected = entry.protected.map { "  protected: it is \($0)" } ?? ""
        return "\(kind)\(name) \(pids)\(more)\(protected)".trimmedAtEnd
    }

    // MARK: What is listed

    /// The matches of the selector that was given.
    private func chosen() async throws -> [Entry] {
        guard let kind = kind.flatMap(TargetKind.init) else {
            let known = TargetKind.allCases.map(\.rawValue)
            let hint = NearestName.hint(for: kind ?? "", among: known)
            throw CommandFailure(
                .definition,
                "there is no kind of target \"\((kind ?? "").escapedForDisplay)\"\(hint)"
            )
        }
        var values = try given(for: kind)
        if options.isEmpty {
            guard let everything = Self.everything(kind) else {
                return try kind == .netns ? namespaces() : processes()
            }
            values = everything
        }
        return try await entries(TargetSelector(kind: kind, options: values))
    }

    private func given(for kind: TargetKind) throws -> [String: ParameterValue] {
        var values: [String: ParameterValue] = [:]
        for option in options {
            let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw CommandFailure(
                    .definition,
                    "an option is NAME=VALUE, got \"\(option.escapedForDisplay)\""
                )
            }
            let parameter = kind.parameterSet.parameters.first { $0.name == parts[0] }
            let isNumber = parameter?.shape.type.contains("integer") == true
            let number = isNumber ? Double(parts[1]).map(ParameterValue.number) : nil
            values[parts[0]] = number ?? .string(parts[1])
        }
        return values
    }

    /// A selector of all there are; nil for processes and namespaces, of which a selector never means all.
    private static func everything(_ kind: TargetKind) -> [String: ParameterValue]? {
        switch kind {
        case .host: [:]
        case .container: ["name": "*"]
        case .systemd: ["unit": ["*.service", "*.scope"]]
        case .netns, .process: nil
        }
    }

    /// All kinds but processes; a kind that cannot be listed here says why on standard error.
    private func overview() async throws -> [Entry] {
        var found = try namespaces()
        for kind in TargetKind.allCases {
            guard var values = Self.everything(kind) else { continue }
            if kind != .host { values["if_absent"] = "ok" }
            do {
                found += try await entries(TargetSelector(kind: kind, options: values))
            } catch let failure as CommandFailure {
                Console.error("no \(kind.rawValue) targets: \(failure.message)")
            }
        }
        return found
    }

    private func namespaces() throws -> [Entry] {
        let resolver = TargetResolver(kernel: .linux)
        let named = try LinuxNetwork().namedNamespaces()
        return try named.sorted { $0.key < $1.key }.map { name, namespace in
            try entry(.netns, name, [.netns(name: name, namespace)], resolver)
        }
    }

    private func processes() throws -> [Entry] {
        let resolver = TargetResolver(kernel: .linux)
        let processes = LinuxProcesses()
        return try processes.pids().sorted().compactMap { pid in
            guard let process = try processes.snapshot(pid: pid), !process.isKernelThread else {
                return nil
            }
            let target = Target.process(name: process.displayName, process.identity)
            return try entry(.process, process.displayName, [target], resolver)
        }
    }

    private func entries(_ selector: TargetSelector) async throws -> [Entry] {
        let resolver = TargetResolver(kernel: .linux)
        do throws(TargetError) {
            var found: [Entry] = []
            for candidate in try await resolver.listed(selector) {
                found.append(try entry(selector.kind, candidate.name, candidate.parts, resolver))
            }
            return found
        } catch .noTarget(let error) {
            throw CommandFailure(.definition, error.description)
        } catch .kernel(let error) {
            let isRefused = error.kind == .notPermitted || error.kind == .unsupported
            throw CommandFailure(isRefused ? .unavailable : .inconclusive, error.description)
        }
    }

    private func entry(
        _ kind: TargetKind,
        _ name: String,
        _ parts: [Target],
        _ resolver: TargetResolver
    ) throws(TargetError) -> Entry {
        var reason: String?
        for part in parts where reason == nil { reason = try resolver.protection(of: part) }
        let namespaces = parts.compactMap { part -> UInt64? in
            if case .netns(_, let namespace, _) = part { namespace.inode } else { nil }
        }
        return Entry(
            kind: kind,
            name: name,
            processes: parts.compactMap(\.process?.pid),
            namespace: namespaces.first,
            protected: reason
        )
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }

    fileprivate var trimmedAtEnd: String {
        String(reversed().drop { $0 == " " }.reversed())
    }
}
