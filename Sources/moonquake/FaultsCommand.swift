// `moonquake faults`: the catalogue, from the descriptors.

import ArgumentParser
import ChaosFaults
import ChaosModel
import ChaosScript

struct FaultsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "faults",
        abstract: "Lists the faults, or describes one: parameters, capabilities, what holds it."
    )

    @Argument(help: "The fault to describe, such as network.partition.")
    var name: String?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let catalogue = FaultCatalogue.all
        let chosen = try name.map { [try type(named: $0, in: catalogue)] } ?? catalogue.types
        if json {
            Console.output(try WireJSON.pretty(chosen.map { FaultListing($0.descriptor) }))
        } else if name != nil {
            chosen.flatMap(\.descriptor.lines).forEach(Console.output)
        } else {
            let width = catalogue.types.map(\.descriptor.name.count).max() ?? 0
            for type in chosen {
                let name = type.descriptor.name
                let padding = String(repeating: " ", count: width - name.count)
                Console.output("\(name)\(padding)  \(type.descriptor.summary)")
            }
        }
    }

    private func type(named name: String, in catalogue: FaultCatalogue) throws -> FaultType {
        if let type = catalogue[name] { return type }
        let hint = NearestName.hint(for: name, among: catalogue.types.map(\.descriptor.name))
        throw CommandFailure(.definition, "unknown fault \"\(name.escapedForDisplay)\"\(hint)")
    }
}

extension FaultDescriptor {
    /// Everything that a person must know of it, as lines.
    var lines: [String] {
        var lines = [
            "\(name): \(summary)",
            "  targets: " + allTargets.map { "target.\($0.rawValue)" }.joined(separator: ", "),
            "  held by: \(holder.explanation)",
        ]
        lines += capabilities.map { "  needs \($0.name): \($0.reason)" }
        lines += needs.map { "  needs \($0)" }
        return lines + ["  options:"] + parameterSet.parameters.flatMap(\.lines)
    }
}

/// A fault as `faults --json` lists it.
private struct FaultListing: Encodable {
    var name: String
    var summary: String
    var targets: [TargetKind]
    var heldBy: Holder
    var capabilities: [NeededCapability]
    var needs: [String]
    var survivesReboot: Bool
    var parameters: [ParameterDescriptor]

    init(_ fault: FaultDescriptor) {
        name = fault.name
        summary = fault.summary
        targets = fault.allTargets
        heldBy = fault.holder
        capabilities = fault.capabilities
        needs = fault.needs
        survivesReboot = fault.survivesReboot
        parameters = fault.parameterSet.parameters
    }
}

extension Holder {
    /// What ends a fault of this holder.
    var explanation: String {
        switch self {
        case .kernel: "kernel (it ends the fault when the agent is gone)"
        case .journal:
            "journal (the undo is on disk; the agent, or whoever starts next, applies it)"
        case .nothing: "nothing (what it does cannot be undone)"
        }
    }
}
