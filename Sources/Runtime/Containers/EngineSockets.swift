// Where container engines listen. Only sockets of this host: what a remote engine runs has no process here.

package import ChaosModel
import Glibc

/// The sockets of container engines on this host.
package struct EngineSockets: Sendable {
    /// What is set for this process: `DOCKER_HOST`, `XDG_RUNTIME_DIR`.
    private let environment: @Sendable (String) -> String?
    /// The usual places, in order.
    private let usual: [String]

    /// Makes the list for an environment.
    package init(
        environment: @escaping @Sendable (String) -> String? = Self.variable,
        usual: [String] = ["/var/run/docker.sock", "/run/podman/podman.sock"]
    ) {
        self.environment = environment
        self.usual = usual
    }

    /// The sockets to ask: the one given, else `$DOCKER_HOST`, else all usual ones that are there.
    package func find(given: String?) throws(KernelError) -> [String] {
        if let given { return [try Self.path(of: given, from: "socket")] }
        if let host = environment("DOCKER_HOST"), !host.isEmpty {
            return [try Self.path(of: host, from: "$DOCKER_HOST")]
        }
        let places = self.places
        var found: [String] = []
        var inodes: Set<UInt64> = []
        for place in places {
            // Podman's Docker package links one to the other.
            guard let inode = Self.socketInode(of: place), inodes.insert(inode).inserted else {
                continue
            }
            found.append(place)
        }
        guard !found.isEmpty else {
            throw KernelError(
                .unsupported,
                "find a container engine",
                "no socket at \(places.joined(separator: ", ")), and no $DOCKER_HOST; start Docker, "
                    + "or `podman system service --time 0`, or give `socket`"
            )
        }
        return found
    }

    private var places: [String] {
        let own = environment("XDG_RUNTIME_DIR").map { "\($0)/podman/podman.sock" }
        return usual + (own.map { [$0] } ?? [])
    }

    private static func path(of text: String, from origin: String) throws(KernelError) -> String {
        let path = text.hasPrefix("unix://") ? String(text.dropFirst("unix://".count)) : text
        guard path.hasPrefix("/") else {
            throw KernelError(
                .unsupported,
                "use the container engine at \(text.escapedForDisplay)",
                "\(origin) must be a socket on this host, such as unix:///run/podman/podman.sock: "
                    + "a remote engine's containers have no process here"
            )
        }
        return path
    }

    private static func socketInode(of path: String) -> UInt64? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        return UInt64(status.st_ino)
    }

    /// A variable of this process.
    @Sendable
    package static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
