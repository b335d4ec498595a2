// What others have on this machine, as text, to be the same before and after. Counters are left out.

import Glibc
import Testing

/// The packet filters and qdiscs of network namespaces.
struct World: Equatable, CustomStringConvertible {
    private var parts: [String: String] = [:]

    var description: String {
        parts.sorted { $0.key < $1.key }.map { "== \($0.key)\n\($0.value)" }.joined(separator: "\n")
    }
}

extension Sandbox {
    /// The world of these namespaces now.
    func world(_ namespaces: String...) throws -> World { try world(namespaces) }

    private func world(_ namespaces: [String]) throws -> World {
        var world = World()
        for name in namespaces {
            world["nft", name] = try tool("nft", "-s", "-a", "list", "ruleset", in: name)
            world["iptables", name] = Self.withoutCounters(try tool("iptables-save", in: name))
            world["ip6tables", name] = Self.withoutCounters(try tool("ip6tables-save", in: name))
            world["qdiscs", name] = try tool("tc", "qdisc", "show", in: name)
            world["filters", name] = try filters(in: name)
            world["links", name] = try tool("ip", "-details", "address", in: name)
            world["routes", name] = try tool("ip", "route", in: name)
        }
        return world
    }

    /// The filters of every interface of a namespace, at its root and at both ends of clsact.
    private func filters(in namespace: String) throws -> String {
        let links = try tool("ip", "-o", "link", "show", in: namespace).split(separator: "\n")
            .compactMap { line -> String? in
                let words = line.split(separator: " ")
                guard words.count > 1 else { return nil }
                return String(words[1].prefix { $0 != ":" && $0 != "@" })
            }
        let lines = links.flatMap { link in
            ["", " ingress", " egress"].map { "filter show dev \(link)\($0)" }
        }
        let batch = try write("filters.tc", lines.joined(separator: "\n") + "\n")
        return try tool("tc", "-batch", batch, in: namespace)
    }

    /// Expects the world of these namespaces to be as it was.
    func expect(
        _ before: World,
        in namespaces: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let after = try world(namespaces)
        #expect(
            after == before,
            "before: \(before)\nafter: \(after)",
            sourceLocation: sourceLocation
        )
    }

    /// Without the counters of chains and the comments with dates.
    private static func withoutCounters(_ text: String) -> String {
        text.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { $0.hasPrefix(":") ? $0.split(separator: " [")[0] : $0 }
            .joined(separator: "\n")
    }

    /// Whether no table of ours is in a namespace.
    func hasNoTableOfOurs(_ namespace: String) throws -> Bool {
        try !tool("nft", "list", "tables", in: namespace).contains("moonquake_")
    }
}

extension World {
    fileprivate subscript(tool: String, namespace: String) -> String {
        get { parts["\(tool) of \(namespace)"] ?? "" }
        set { parts["\(tool) of \(namespace)"] = newValue }
    }
}
