// The ports to the machine. Faults and targets know the machine only through these, so that the same code
// runs on Linux and on the simulated kernel, which can fail its N-th call and compare the world.

/// What a kernel call did not do, and to what.
package struct KernelError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds that callers tell apart.
    package enum Kind: String, Sendable, Hashable, Codable {
        /// The thing is not there (any more).
        case gone
        /// The caller may not.
        case notPermitted
        /// The kernel or a tool cannot.
        case unsupported
        /// Anything else.
        case failed
    }

    /// What kind it is.
    package var kind: Kind
    /// What was tried: `add nft table moonquake_x`.
    package var operation: String
    /// What the kernel or tool answered.
    package var reason: String

    /// Makes an error from its parts.
    package init(_ kind: Kind, _ operation: String, _ reason: String) {
        self.kind = kind
        self.operation = operation
        self.reason = reason
    }

    package var description: String { "\(operation): \(reason)" }
}

/// The machine, as faults, targets and the agent see it.
package struct Kernel: Sendable {
    /// Processes and signals.
    package var processes: any ProcessPort
    /// Control groups.
    package var groups: any ControlGroupPort
    /// Tasks that only take places.
    package var tasks: any TaskPort
    /// Wall clocks of wrapped services.
    package var clocks: any ClockPort
    /// Processor time, memory, space and transfers that are used up.
    package var loads: any LoadPort
    /// Packet filters.
    package var packets: any PacketFilterPort
    /// Impairments of packets.
    package var shaping: any TrafficShapingPort
    /// Faults of HTTP and gRPC requests.
    package var requests: any RequestFaultPort
    /// Faults of name resolution.
    package var names: any NameFaultPort
    /// Network namespaces and names.
    package var network: any NetworkPort
    /// The host itself.
    package var host: any HostPort
    /// Time.
    package var time: any TimePort
    /// Container engines.
    package var containers: any ContainerPort
    /// What the faults change, as text.
    package var state: any StatePort

    /// Makes a machine from its ports.
    package init(
        processes: any ProcessPort,
        groups: any ControlGroupPort,
        loads: any LoadPort,
        packets: any PacketFilterPort,
        shaping: any TrafficShapingPort,
        requests: any RequestFaultPort,
        names: any NameFaultPort,
        network: any NetworkPort,
        host: any HostPort,
        time: any TimePort,
        containers: any ContainerPort = NoContainers(),
        tasks: any TaskPort = NoTasks(),
        clocks: any ClockPort = NoClocks(),
        state: any StatePort = NoState()
    ) {
        self.state = state
        self.processes = processes
        self.groups = groups
        self.tasks = tasks
        self.clocks = clocks
        self.loads = loads
        self.packets = packets
        self.shaping = shaping
        self.requests = requests
        self.names = names
        self.network = network
        self.host = host
        self.time = time
        self.containers = containers
    }
}

/// The host itself.
package protocol HostPort: Sendable {
    /// A text that is new at each boot: /proc/sys/kernel/random/boot_id.
    func bootID() throws(KernelError) -> String

    /// Whether this process has a capability such as `CAP_NET_ADMIN` in its effective set.
    func hasCapability(_ name: String) -> Bool

    /// The effective user id.
    func userID() -> UInt32

    /// This process and its ancestors, up to pid 1.
    func ancestry() -> [Int32]
}
