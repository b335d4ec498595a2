// `moonquake doctor`: what works here and how to get the rest; `--residue` lists what of ours is left here.

import ArgumentParser
import ChaosAgent
import ChaosFaults
import ChaosLinux
import ChaosModel
import Glibc

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what works on this machine, and how to get the rest."
    )

    @OptionGroup
    var state: StateOptions

    @Flag(name: .long, help: "List whatever of ours is left on this machine.")
    var residue = false

    func run() async throws {
        if residue { return try listResidue() }
        let kernel = Kernel.linux
        print(.fine, "kernel", Self.kernelRelease)
        print(.fine, "state", state.path)
        try printFilters(kernel)
        try printShaping(kernel)
        try await printNames(kernel)
        printCapabilities(kernel)
        await printEngines(kernel)
        printPolicy()
        try printOpenJournals()
    }

    private enum Health: String {
        case fine = "ok  "
        case limited = "-   "
        case broken = "no  "
    }

    private func print(_ health: Health, _ subject: String, _ text: String) {
        let padding = String(repeating: " ", count: max(0, 22 - subject.count))
        Console.output("\(health.rawValue)\(subject)\(padding) \(text)")
    }

    private static var kernelRelease: String {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: &name.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private func printFilters(_ kernel: Kernel) throws {
        let engines = try kernel.packets.engines(in: try kernel.network.ownNamespace())
        for engine in PacketEngine.allCases {
            let name = "packets: \(engine.rawValue)"
            if engines.working.contains(engine) {
                print(.fine, name, engine.promise)
            } else {
                print(.broken, name, engines.reasons[engine] ?? "does not work here")
            }
        }
    }

    private func printShaping(_ kernel: Kernel) throws {
        let engines = try kernel.shaping.engines(in: try kernel.network.ownNamespace())
        for engine in ShapingEngine.allCases {
            let works = engines.working.contains(engine)
            let text =
                works
                ? "delays, loses and changes packets, held by the kernel" : engines.reasons[engine]
            print(
                works ? .fine : .broken,
                "traffic: \(engine.rawValue)",
                text ?? "does not work here"
            )
        }
    }

    /// How DNS faults would work on this host, and what would be in their way.
    private func printNames(_ kernel: Kernel) async throws {
        let own = NamePlace(namespace: try kernel.network.ownNamespace())
        let survey = try await kernel.names.survey(own)
        if let obstacle = survey.redirectObstacle {
            print(.limited, "names: redirect", "\(obstacle); an edit of resolv.conf would do")
        } else {
            print(.fine, "names: redirect", "DNS faults are held by the kernel")
        }
        for note in survey.notes { print(.limited, "names", note) }
    }

    /// Each capability with the families of faults that need it, and what for.
    private func printCapabilities(_ kernel: Kernel) {
        var needs: [String: [String]] = [:]
        for fault in FaultCatalogue.all.types.map(\.descriptor) {
            let family = fault.name.prefix { $0 != "." }
            for need in fault.capabilities {
                let text = "\(family) faults \(need.reason)"
                if needs[need.name]?.contains(text) != true {
                    needs[need.name, default: []].append(text)
                }
            }
        }
        for (name, texts) in needs.sorted(by: { $0.key < $1.key }) {
            let has = kernel.host.hasCapability(name)
            let hint = has ? "" : "; run as root, or with --sudo"
            print(has ? .fine : .limited, name, texts.joined(separator: "; ") + hint)
        }
    }

    private func printEngines(_ kernel: Kernel) async {
        do throws(KernelError) {
            let found = try await kernel.containers.containers(socket: nil)
            let sockets = Set(found.map(\.socket)).sorted().joined(separator: ", ")
            let place = sockets.isEmpty ? "" : " (\(sockets))"
            print(.fine, "containers", "\(found.count) run\(place)")
        } catch {
            print(.limited, "containers", error.description)
        }
    }

    /// The policies of the host and of this user, and what they say together.
    private func printPolicy() {
        do throws(DefinitionError) {
            var policy = try PolicyFiles.readSystem()
            if let path = PolicyFiles.user, let own = try PolicyFiles.read(path) {
                policy = policy.and(own)
            }
            if policy.isOpen {
                print(.fine, "policy", "none: no \(PolicyFiles.system), and no file of this user's")
            }
            for line in policy.sentences { print(.fine, "policy", line) }
        } catch {
            print(.broken, "policy", error.description)
        }
    }

    private func printOpenJournals() throws {
        let store = LinuxJournals(stateDirectory: state.path)
        let live = (try? store.live()) ?? []
        for run in live { print(.fine, "under way", "run \(run.run), agent \(run.agent.pid)") }
        let orphans = (try? store.orphans()) ?? []
        guard !orphans.isEmpty else { return }
        print(
            .limited,
            "left by a crash",
            "\(orphans.count) open journals: run `moonquake recover`"
        )
    }

    private func listResidue() throws {
        let found = try Residue(stateDirectory: state.path).find()
        for item in found { Console.output(item.text) }
        if found.isEmpty { Console.error("nothing of ours is left on this machine") }
    }
}

extension PacketEngine {
    /// What it means for a fault.
    fileprivate var promise: String {
        switch self {
        case .nftOwner: "network faults are held by the kernel"
        case .nft: "works; network faults would be held by the journal"
        case .iptables: "works; network faults would be held by the journal"
        }
    }
}
