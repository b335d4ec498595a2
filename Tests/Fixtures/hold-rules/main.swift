// A process that is not the tests' own, for what only another process shows.
//
//   hold-rules hold PATH INODE NAME ADDRESS   holds an owned table that drops packets to ADDRESS, for ever
//   hold-rules delay PATH INODE NAME ADDRESS  delays packets to ADDRESS by 50 ms with netem, for ever
//   hold-rules engines                        prints what works in its own namespace, and why the rest does not
//   hold-rules enter NAME                     prints whether it can enter a namespace, and why not

import ChaosLinux
import ChaosModel
import Glibc

func hold(_ arguments: ArraySlice<String>) throws {
    let arguments = Array(arguments)
    guard arguments.count == 4, let inode = UInt64(arguments[1]),
        let address = NetworkAddress(arguments[3])
    else { exit(2) }
    let filter = LinuxPacketFilter()
    let drop = PacketMatch(.egress, remote: [address])
    try filter.add(
        PacketRules(name: arguments[2], pass: [], drop: [drop]),
        with: .nftOwner,
        in: NetworkNamespace(path: arguments[0], inode: inode)
    )
    print("held")
    fflush(nil)
    withExtendedLifetime(filter) { while true { pause() } }
}

func delay(_ arguments: ArraySlice<String>) async throws {
    let arguments = Array(arguments)
    guard arguments.count == 4, let inode = UInt64(arguments[1]),
        let address = NetworkAddress(arguments[3])
    else { exit(2) }
    let netem = NetemBackend()
    try await netem.shape(
        ShapingRules(
            name: arguments[2],
            pass: [],
            match: [PacketMatch(.egress, remote: [address])],
            impairment: Impairment(delay: PacketDelay(delayMs: 50)),
            seed: 1
        ),
        in: NetworkNamespace(path: arguments[0], inode: inode)
    )
    print("held")
    fflush(nil)
    withExtendedLifetime(netem) { while true { pause() } }
}

func engines() throws {
    let found = try LinuxPacketFilter().engines(in: LinuxNetwork().ownNamespace())
    for engine in PacketEngine.allCases {
        print("\(engine.rawValue): \(found.reasons[engine] ?? "works")")
    }
}

func enter(_ name: String) {
    do {
        try LinuxNamespaces.enter(name)
        print("entered")
    } catch {
        print(error)
    }
}

switch CommandLine.arguments.dropFirst().first {
case "hold": try hold(CommandLine.arguments.dropFirst(2))
case "delay": try await delay(CommandLine.arguments.dropFirst(2))
case "engines": try engines()
case "enter": enter(CommandLine.arguments.last ?? "")
default: exit(2)
}
