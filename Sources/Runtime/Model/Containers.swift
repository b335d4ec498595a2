// The port to container engines: what runs, and which process leads it. It only reads.

/// A running container as its engine tells of it.
package struct ContainerSnapshot: Sendable, Hashable {
    /// The engine's id: 64 hexadecimal digits.
    package var id: String
    /// Its name, without the slash that Docker puts before it.
    package var name: String
    /// The image as it was asked for: `docker.io/library/nginx:1.27`.
    package var image: String
    /// Its labels.
    package var labels: [String: String]
    /// The socket of the engine that told of it.
    package var socket: String

    /// Makes a snapshot from its parts.
    package init(
        id: String,
        name: String,
        image: String,
        labels: [String: String],
        socket: String
    ) {
        self.id = id
        self.name = name
        self.image = image
        self.labels = labels
        self.socket = socket
    }
}

/// Container engines.
package protocol ContainerPort: Sendable {
    /// The containers that run now, of one engine, or of all that are found.
    ///
    /// - Throws: `KernelError` when no engine is found or one does not answer, with where it was looked for.
    func containers(socket: String?) async throws(KernelError) -> [ContainerSnapshot]

    /// The first process of a container, in the pid namespace of the agent; nil when it does not run any more.
    func firstProcess(of container: ContainerSnapshot) async throws(KernelError) -> Int32?
}

/// A machine without container engines.
package struct NoContainers: ContainerPort {
    /// Makes the port.
    package init() {}

    package func containers(socket: String?) async throws(KernelError) -> [ContainerSnapshot] {
        throw KernelError(.unsupported, "list containers", "this program has no container engine")
    }

    package func firstProcess(of container: ContainerSnapshot) async throws(KernelError) -> Int32? {
        nil
    }
}
