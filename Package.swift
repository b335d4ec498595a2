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
        dependencies: dependencies + ["TestSupport"],
        path: "Tests/\(folder)Tests",
        swiftSettings: settings
    )
}

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHPACK = Target.Dependency.product(name: "NIOHPACK", package: "swift-nio-http2")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
    name: "moonquake",
    products: [
        .library(name: "LuaBridge", targets: ["LuaBridge"]),
        .library(name: "moonquake-clock", type: .dynamic, targets: ["CClock"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2"),
        .package(url: "https://github.com/apple/swift-system.git", from: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
    ],
    targets: [
        .systemLibrary(name: "CLua", pkgConfig: "lua5.4", providers: [.apt(["liblua5.4-dev"])]),
        .target(name: "CLuaShim", dependencies: ["CLua"]),
        .target(name: "LuaBridge", dependencies: ["CLua", "CLuaShim"], swiftSettings: settings),
        .target(name: "CLinux"),
        // Preloaded into programs of others: it must bring along no library that it does not use, and no sanitizer.
        .target(
            name: "CClock",
            exclude: ["unneeded"],
            cSettings: [.unsafeFlags(["-fno-sanitize=all"])],
            linkerSettings: [
                // `-static-stdlib` asks for the C++ and the mathematical library: empty ones are found first.
                .unsafeFlags([
                    "-nostartfiles", "-static-stdlib",
                    "-L\(Context.packageDirectory)/Sources/CClock/unneeded",
                ])
            ]
        ),
        .target(name: "CPacketQueue"),
        .target(name: "CMail"),
        .target(name: "CLineEdit"),
        .target(name: "CDatagrams"),
        .target(name: "CSockets"),
        .target(name: "CSerial"),
        module("Model", []),
        module("Threads", ["ChaosModel"]),
        module("Linux", ["ChaosModel", "ChaosThreads", "CLinux", "CPacketQueue"]),
        module("Resolver", ["ChaosModel", "ChaosThreads", "CDatagrams", nioCore, nioPosix]),
        module("Targets", ["ChaosModel"]),
        module("Containers", ["ChaosModel", httpClient, nioCore]),
        module("Faults", ["ChaosModel"]),
        module("Agent", ["ChaosModel", "ChaosTargets"]),
        module("Engine", ["ChaosModel", "ChaosSteadyState"]),
        module(
            "Script",
            ["ChaosEngine", "ChaosGameDay", "ChaosModel", "ChaosSteadyState", "LuaBridge", yams]
        ),
        module(
            "GameDay",
            ["ChaosModel", "ChaosSteadyState", "CMail", httpClient, nioCore, subprocess, system]
        ),
        module("Report", ["ChaosGameDay", "ChaosModel"]),
        module("Proxy", ["ChaosModel", "ChaosThreads", "CSockets", nioCore, nioHPACK]),
        module("Simulation", ["ChaosModel"]),
        module(
            "Testing",
            [
                "ChaosAgent", "ChaosEngine", "ChaosGameDay", "ChaosModel", "ChaosScript",
                "ChaosSimulation", "ChaosSteadyState", "ChaosTargets", "ChaosThreads", "CSerial",
                "LuaBridge",
            ]
        ),
        module("Catalog", ["ChaosModel", grdb]),
        module(
            "SteadyState",
            [
                "ChaosModel", httpClient, nioCore, nioPosix, nioHTTP1, nioSSL, histogram,
                subprocess, system,
            ]
        ),
        .executableTarget(
            name: "moonquake",
            dependencies: [
                "CLineEdit",
                "ChaosAgent",
                "ChaosCatalog",
                "ChaosContainers",
                "ChaosEngine",
                "ChaosFaults",
                "ChaosGameDay",
                "ChaosLinux",
                "ChaosModel",
                "ChaosProxy",
                "ChaosReport",
                "ChaosResolver",
                "ChaosScript",
                "ChaosSteadyState",
                "ChaosTargets",
                "ChaosTesting",
                "ChaosThreads",
                argumentParser,
                nioCore,
                nioPosix,
            ],
            swiftSettings: settings
        ),
        .target(name: "TestSupport", path: "Tests/Support", swiftSettings: settings),
        .executableTarget(
            name: "hold-rules",
            dependencies: ["ChaosModel", "ChaosLinux"],
            path: "Tests/Fixtures/hold-rules",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "queue-worker",
            dependencies: ["ChaosLinux"],
            path: "Tests/Fixtures/queue-worker",
            swiftSettings: settings
        ),
        tests(
            "Queue",
            ["ChaosModel", "ChaosLinux", "ChaosThreads", "CPacketQueue", "queue-worker"]
        ),
        tests("Load", ["ChaosFaults", "ChaosLinux", "ChaosModel", "queue-worker"]),
        tests("Linux", ["ChaosModel", "ChaosLinux", "ChaosThreads", "hold-rules"]),
        tests("Resolver", ["ChaosModel", "ChaosResolver", "CDatagrams", nioCore, nioPosix]),
        tests(
            "ProcessFault",
            [
                "ChaosAgent", "ChaosFaults", "ChaosLinux", "ChaosModel", "ChaosSimulation",
                "ChaosTargets", "moonquake",
            ]
        ),
        tests("Agent", ["ChaosAgent", "ChaosFaults", "ChaosModel", "ChaosSimulation"]),
        tests(
            "Engine",
            [
                "ChaosAgent", "ChaosEngine", "ChaosFaults", "ChaosLinux", "ChaosModel",
                "ChaosScript", "ChaosSimulation", "ChaosTesting",
            ]
        ),
        tests(
            "Docs",
            [
                "ChaosFaults", "ChaosModel", "ChaosScript", "ChaosSteadyState", "ChaosTesting",
                "LuaBridge", "moonquake", subprocess, system,
            ]
        ),
        tests("GameDay", ["ChaosGameDay", "ChaosLinux", "ChaosModel", subprocess, system]),
        tests("LuaBridge", ["LuaBridge", "CLua"]),
        tests("Report", ["ChaosGameDay", "ChaosModel", "ChaosReport", subprocess, system]),
        tests("Model", ["ChaosModel", "ChaosSimulation"]),
        tests("Catalog", ["ChaosCatalog", "ChaosModel", subprocess, system]),
        tests("Proxy", ["ChaosModel", "ChaosProxy", "ChaosSimulation", nioCore]),
        tests(
            "Containers",
            ["ChaosContainers", "ChaosLinux", "ChaosModel", "ChaosTargets"]
        ),
        tests("Support", []),
        tests("Targets", ["ChaosModel", "ChaosSimulation", "ChaosTargets"]),
        tests("EndToEnd", ["ChaosGameDay", "ChaosLinux", "ChaosModel", "moonquake"]),
        tests(
            "Script",
            [
                "ChaosEngine", "ChaosFaults", "ChaosGameDay", "ChaosModel", "ChaosScript",
                "ChaosSimulation", "ChaosSteadyState", "LuaBridge",
            ]
        ),
        tests(
            "SteadyState",
            ["ChaosModel", "ChaosSteadyState", nioCore, nioPosix, subprocess, system]
        ),
    ]
)
