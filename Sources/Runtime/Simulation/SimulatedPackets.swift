// Packet rules in memory: named tables in each namespace, whose counters always say that something matched.

package import ChaosModel

extension SimulatedKernel: PacketFilterPort {
    package func engines(in namespace: NetworkNamespace) throws(KernelError) -> PacketEngines {
        try call("engines") { state throws(KernelError) in state.engines }
    }

    package func add(
        _ rules: PacketRules,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        try call("add") { state throws(KernelError) in
            guard state.world.tables[namespace.inode]?[rules.name] == nil else {
                throw KernelError(.failed, "add \(rules.name)", "File exists")
            }
            state.world.tables[namespace.inode, default: [:]][rules.name] = SimulatedWorld.Table(
                rules: rules,
                engine: engine,
                count: PacketCount(packets: 3, bytes: 180)
            )
        }
    }

    package func widen(
        _ rules: PacketRules,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        try call("widen") { state throws(KernelError) in
            guard state.world.tables[namespace.inode]?[rules.name] != nil else {
                throw KernelError(.failed, "widen \(rules.name)", "it is not in force")
            }
            state.world.tables[namespace.inode]?[rules.name]?.rules.drop += rules.drop
        }
    }

    package func remove(
        _ name: String,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        try call("remove") { state throws(KernelError) in
            state.world.tables[namespace.inode]?[name] = nil
        }
    }

    package func count(
        _ name: String,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> PacketCount? {
        try call("count") { state throws(KernelError) in
            state.world.tables[namespace.inode]?[name]?.count
        }
    }

    /// Half of six packets match.
    package func watch(
        _ watch: PacketWatch,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        let rules = PacketRules(name: watch.name, pass: watch.pass, drop: watch.match)
        try add(rules, with: .nftOwner, in: namespace)
    }

    package func watched(
        _ name: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> WatchCount? {
        try count(name, with: .nftOwner, in: namespace).map { count in
            WatchCount(
                matched: count,
                seen: PacketCount(packets: 2 * count.packets, bytes: 2 * count.bytes)
            )
        }
    }
}
