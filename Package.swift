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

let package = Package(
    name: "moonquake",
    targets: [
        module("Model", []),
        .target(name: "CLinux"),
        module("Linux", ["ChaosModel", "CLinux"]),
        .executableTarget(
            name: "hold-rules",
            dependencies: ["ChaosModel", "ChaosLinux"],
            path: "Tests/Fixtures/hold-rules",
            swiftSettings: settings
        ),
        .testTarget(
            name: "LinuxTests",
            dependencies: ["ChaosModel", "ChaosLinux", "hold-rules"],
            swiftSettings: settings
        ),
    ]
)
