// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// A module of the runtime: a folder below Sources/Runtime, named without the `Chaos` prefix.
func module(_ folder: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: "Chaos\(folder)",
        dependencies: dependencies,
        path: "Sources/Runtime/\(folder)",
        swiftSettings: settings
    )
}

/// The tests of a module, in the folder of its name.
func tests(_ folder: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: "\(folder)Tests",
        dependencies: dependencies,
        path: "Tests/\(folder)Tests",
        swiftSettings: settings
    )
}

let package = Package(
    name: "moonquake",
    targets: [
        module("Model", []),
        module("Targets", ["ChaosModel"]),
        module("Faults", ["ChaosModel"]),
        module("Agent", ["ChaosModel", "ChaosTargets"]),
        module("Engine", ["ChaosModel"]),
        module("Simulation", ["ChaosModel"]),
        tests("Agent", ["ChaosAgent", "ChaosFaults", "ChaosModel", "ChaosSimulation"]),
    ]
)
