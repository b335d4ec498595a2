// A run's surroundings on the real machine.

import ChaosEngine
import ChaosFaults
import ChaosLinux
import ChaosModel
import ChaosScript
import ChaosSteadyState
import ChaosTargets
import FoundationEssentials
import Glibc

/// Puts together what a run needs of this machine.
struct RunWiring {
    var state: StateOptions
    var script: ScriptOptions
    /// Whether a run goes on although something of ours is left here.
    var toleratesResidue = false

    /// A run of an experiment that was rehearsed, with a name of its own.
    func runner(
        of loaded: LoadedExperiment,
        _ rehearsal: Rehearsal,
        mode: RunMode = .run,
        observer: any RunObserver
    ) async -> Runner {
        let body = loaded.body
        return Runner(
            experiment: loaded.definition,
            isPlain: loaded.isPlain,
            body: body,
            rehearsal: rehearsal,
            runID: RunID.make(),
            seed: script.chosenSeed,
            mode: mode,
            surroundings: await surroundings(
                of: rehearsal.steadyState ?? loaded.definition.steadyState,
                body: body,
                observer: observer
            )
        )
    }

    /// The surroundings of a run that watches a steady state, and whose body computes its Lua metrics.
    func surroundings(
        of steadyState: SteadyStateDefinition,
        body: any RunBody,
        observer: any RunObserver
    ) async -> RunSurroundings {
        let launch = AgentLaunch(stateDirectory: state.path, throughSudo: script.sudo)
        let context = Self.sourceContext(body: body)
        var policy = Policy()
        var problem: String?
        do throws(DefinitionError) {
            policy = try script.policy()
        } catch {
            problem = error.description
        }
        return RunSurroundings(
            launchAgent: { () throws(AgentFailure) in try launch() },
            makeSource: { metric throws(DefinitionError) in
                try MetricCatalogue().source(for: metric, in: context)
            },
            faults: .all,
            time: LinuxTime(),
            protectedEndpoints: Self.sessionPeer
                + (await Self.metricSources(steadyState.metrics)),
            protectedProcesses: LinuxHost().ancestry(),
            observer: observer,
            policy: policy,
            policyProblem: problem,
            redactor: Console.redactor,
            toleratesResidue: toleratesResidue
        )
    }

    private static func sourceContext(body: any RunBody) -> SourceContext {
        let resolver = TargetResolver(kernel: .linux)
        return SourceContext(
            kernel: .linux,
            enterNamespace: { name in try LinuxNamespaces.enter(name) },
            evaluateLua: { name in await body.evaluate(metric: name) },
            resolve: { selector in
                try await resolver.seen(selector).compactMap(\.process)
            }
        )
    }

    /// The far end of the SSH session that we run in: cutting it would cut the person at the terminal off.
    private static var sessionPeer: [ProtectedEndpoint] {
        guard let connection = StateOptions.environment("SSH_CONNECTION"),
            let address = connection.split(separator: " ").first.flatMap({
                NetworkAddress(String($0))
            })
        else { return [] }
        return [
            ProtectedEndpoint(address: address, port: nil, reason: "the peer of this SSH session")
        ]
    }

    /// The servers that we judge by: without them a run is blind.
    static func metricSources(_ metrics: [MetricDefinition]) async -> [ProtectedEndpoint] {
        var endpoints: Set<ProtectedEndpoint> = []
        for metric in metrics where metric.source == "prometheus" {
            guard case .string(let server) = metric.options["server"],
                let url = URL(string: server),
                let host = url.host()
            else { continue }
            // A name that does not resolve now is told by the baseline, which has no data then.
            let found = NetworkAddress(host).map { [$0] }
            let addresses =
                if let found { found } else {
                    (try? await LinuxNetwork().addresses(of: host)) ?? []
                }
            for address in addresses {
                let port = url.port ?? (url.scheme == "https" ? 443 : 80)
                endpoints.insert(
                    ProtectedEndpoint(
                        address: address,
                        port: port,
                        reason: "the metric source of \(metric.name)"
                    )
                )
            }
        }
        return endpoints.sorted { $0.address.description < $1.address.description }
    }
}

/// Names of runs: the time, and something that tells runs of one second apart.
enum RunID {
    /// `20261125-083000-1f0c9a`.
    static func make() -> String {
        let number = String(UInt32.random(in: 0...0xff_ffff), radix: 16)
        let padded = String(repeating: "0", count: 6 - number.count) + number
        return "\(Timestamp.compact(LinuxTime().secondsSince1970))-\(padded)"
    }
}
