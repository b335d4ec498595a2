// How names are resolved in a place: which resolvers are asked, and what answers before they are.

import ChaosModel

/// Looks at files and sockets of a target; changes nothing.
enum NameSurveyor {
    /// The most resolvers that get a listener of their own; others are looked up query by query.
    private static let resolverLimit = 6
    private static let port = 53

    /// What the files and sockets of a place tell.
    static func survey(_ place: NamePlace) throws(KernelError) -> NameSurvey {
        let root = try TargetRoot(place)
        let configuration = try root.bytes("/etc/resolv.conf").map { NameFile($0).plain }
        let order = try root.bytes("/etc/nsswitch.conf").map { NameFile($0) }
        var whole = place
        whole.mounts = place.process.flatMap(TargetRoot.mounts)
        var survey = NameSurvey(place: whole, resolvers: resolvers(in: configuration))
        if survey.resolvers.isEmpty {
            survey.notes.append(
                "/etc/resolv.conf names no resolver: only queries of programs that name one themselves are met"
            )
        }
        if root.serves("/run/nscd/socket") || root.serves("/var/run/nscd/socket") {
            survey.notes.append(
                "nscd runs: what it has cached hides the fault until it expires (nscd -i hosts)"
            )
        }
        let asksResolved = sources(in: order).contains("resolve")
        if asksResolved, root.serves("/run/systemd/resolve/io.systemd.Resolve") {
            survey.notes.append(
                "systemd-resolved is asked by its own socket (nss-resolve): what it has cached hides the fault "
                    + "until it expires (resolvectl flush-caches), and only its queries to port 53 are met"
            )
        }
        if survey.resolvers.contains(where: { $0.address.addressText == "127.0.0.11" }) {
            survey.notes.append(
                "Docker's resolver (127.0.0.11): queries are met before Docker's own address translation"
            )
        }
        return survey
    }

    private static func resolvers(in file: NameFile?) -> [SocketEnd] {
        var found: [SocketEnd] = []
        for line in file?.lines ?? [] {
            let words = line.words
            // An address of one link (fe80::1%eth0) is met without a listener of its own.
            guard words.first == "nameserver", words.count > 1,
                let address = NetworkAddress(String(words[1])), address.isSingle
            else { continue }
            let end = SocketEnd(address, port: port)
            if !found.contains(end), found.count < resolverLimit { found.append(end) }
        }
        return found
    }

    /// The sources of host names in nsswitch.conf.
    private static func sources(in file: NameFile?) -> [String] {
        for line in file?.lines ?? [] where line.words.first == "hosts:" {
            return line.words.dropFirst().map(String.init)
        }
        return []
    }
}
