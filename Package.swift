// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "moonquake",
    products: [
        .library(name: "LuaBridge", targets: ["LuaBridge"])
    ],
    targets: [
        .systemLibrary(
            name: "CLua",
            pkgConfig: "lua5.4",
            providers: [.apt(["liblua5.4-dev"])]
        ),
        .target(name: "CLuaShim", dependencies: ["CLua"]),
        .target(
            name: "LuaBridge",
            dependencies: ["CLua", "CLuaShim"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "LuaBridgeTests",
            dependencies: ["LuaBridge", "CLua"],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
