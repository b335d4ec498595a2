// The ifbs of leases: made with their netems, and removed when no packet waits in them any more.

package import ChaosModel
import Glibc

/// Our ifbs.
package enum NetemDevices {
    /// The names of all ifbs of ours in a namespace, of a live agent or not, for `doctor` and `recover`.
    package static func residue(in namespace: NetworkNamespace) throws(KernelError) -> [String] {
        try LinuxNamespaces.withinAnyWay(namespace) { () throws(KernelError) in
            try own(with: try Rtnetlink(), in: namespace).map(\.name)
        }
    }

    /// Whether an ifb of this name belongs to the rules of this name.
    package static func isDevice(_ name: String, of rules: String) -> Bool {
        NetemNames.isDevice(name, of: rules)
    }

    /// Removes an ifb of ours by its name; what is not there, or not ours, is left alone.
    package static func remove(
        _ name: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        try LinuxNamespaces.withinAnyWay(namespace) { () throws(KernelError) in
            let rtnetlink = try Rtnetlink()
            for link in try own(with: rtnetlink, in: namespace) where link.name == name {
                try remove(link.index, name, with: rtnetlink)
            }
        }
    }

    /// Makes the ifbs of a lease; leaves none when one fails.
    static func add(
        for lease: NetemLease,
        beside older: [NetemLease],
        with rtnetlink: Rtnetlink
    ) throws(KernelError) -> [NetemRoute: NetemDevice] {
        let routes = lease.routes(beside: older).sorted { $0.leases.count < $1.leases.count }
        var devices: [NetemRoute: NetemDevice] = [:]
        do throws(KernelError) {
            for route in routes {
                let number = devices.keys.count { $0.direction == route.direction }
                devices[route] = try add(
                    NetemNames.device(of: lease.name, route.direction, number: number),
                    NetemStage.all(
                        for: (older + [lease]).filter { route.leases.contains($0.name) }
                    ),
                    with: rtnetlink
                )
            }
        } catch {
            for device in devices.values { _ = try? rtnetlink.removeLink(device.index) }
            throw error
        }
        return devices
    }

    /// Waits until no packet waits in ifbs that get no more, but not for long, and removes them.
    static func remove(
        _ devices: [NetemDevice],
        drainMs: Int,
        with rtnetlink: Rtnetlink
    ) async throws(KernelError) {
        for _ in 0..<drainMs where devices.contains(where: { isWaiting(in: $0, rtnetlink) }) {
            // Cut short when the caller is cancelled: then what waits is lost, as after the time.
            try? await Task.sleep(for: .milliseconds(1))
        }
        for device in devices { try remove(device.index, device.name, with: rtnetlink) }
    }

    /// The same for ifbs in a namespace that we hold nothing in.
    static func remove(
        in namespace: NetworkNamespace,
        drainMs: Int,
        where isMeant: @escaping @Sendable (String) -> Bool
    ) async throws(KernelError) {
        let found = try LinuxNamespaces.withinAnyWay(namespace) { () throws(KernelError) in
            let rtnetlink = try Rtnetlink()
            let links = try own(with: rtnetlink, in: namespace).filter { isMeant($0.name) }
            return (
                rtnetlink, links.map { NetemDevice(name: $0.name, index: $0.index, stages: []) }
            )
        }
        try await remove(found.1, drainMs: drainMs, with: found.0)
    }

    /// The packets that were dropped for a lease.
    static func dropped(
        for lease: String,
        on device: NetemDevice,
        _ rtnetlink: Rtnetlink
    ) -> UInt64 {
        guard let stage = device.stages.firstIndex(where: { $0.contains(lease) }) else { return 0 }
        func dropped(_ stage: Int) -> UInt32 {
            guard device.stages.indices.contains(stage) else { return 0 }
            return (try? rtnetlink.statistics(ofNetem: stage, on: device.index))?.dropped ?? 0
        }
        // What is inside counts outside too. It was read later and may have grown since.
        let all = dropped(stage)
        return UInt64(all - min(all, dropped(stage + 1)))
    }

    /// Makes one ifb with its netems.
    static func add(
        _ name: String,
        _ stages: [NetemStage],
        with rtnetlink: Rtnetlink
    ) throws(KernelError) -> NetemDevice {
        let index: Int32
        do throws(Rtnetlink.Refusal) {
            index = try rtnetlink.addIfb(name)
        } catch {
            throw error.error("add the ifb \(name)")
        }
        do throws(Rtnetlink.Refusal) {
            try rtnetlink.addNetems(stages.map(\.options), to: index)
        } catch {
            _ = try? rtnetlink.removeLink(index)
            throw error.error("add netem to \(name)")
        }
        return NetemDevice(name: name, index: index, stages: stages.map(\.leases))
    }

    private static func isWaiting(in device: NetemDevice, _ rtnetlink: Rtnetlink) -> Bool {
        // The outermost counts what waits inside too.
        ((try? rtnetlink.statistics(ofNetem: 0, on: device.index))?.waiting ?? 0) > 0
    }

    private static func own(
        with rtnetlink: Rtnetlink,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> [NetworkLink] {
        do throws(Rtnetlink.Refusal) {
            return try rtnetlink.links().filter {
                $0.kind == "ifb" && $0.alias == Rtnetlink.alias
                    && NetemNames.key(ofDevice: $0.name) != nil
            }
        } catch {
            throw error.error("list interfaces in \(namespace.path)")
        }
    }

    private static func remove(
        _ index: Int32,
        _ name: String,
        with rtnetlink: Rtnetlink
    ) throws(KernelError) {
        do throws(Rtnetlink.Refusal) {
            try rtnetlink.removeLink(index)
        } catch {
            throw error.error("remove the ifb \(name)")
        }
    }
}
