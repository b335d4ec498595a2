// The catalogue: versions by content, and a file that is ours, intact, and only then written to.

import ChaosModel
import FoundationEssentials
import TestSupport
import Testing

@testable import ChaosCatalog

/// A catalogue in a folder of its own.
struct TestCatalog {
    let folder: TestFolder
    let catalog: Catalog

    init() throws {
        folder = try TestFolder()
        catalog = Catalog(stateDirectory: folder.path)
    }

    /// Adds a text.
    @discardableResult
    func add(
        _ text: String,
        as name: String = "kill-one",
        modules: [String: String] = [:],
        titles: [String] = ["kill one"]
    ) throws -> CatalogAddition {
        let content = DefinitionContent(
            fileName: "kill-one.lua",
            bytes: Array(text.utf8),
            modules: modules.mapValues { Array($0.utf8) }
        )
        return try catalog.add(
            content,
            as: name,
            titles: titles,
            at: "2026-11-25T10:00:00.000Z",
            by: "0.1.0"
        )
    }

    /// The names of all files there.
    var files: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
    }

    var bytes: Data { get throws { try Data(contentsOf: URL(filePath: catalog.path)) } }

    /// Every way to use it; returns what each said.
    func useAll() -> [CatalogError] {
        func error(_ body: () throws -> Void) -> CatalogError? {
            do {
                try body()
                return nil
            } catch { return error as? CatalogError }
        }
        return [
            error { try add("another") },
            error { _ = try catalog.versions() },
            error { _ = try catalog.find(CatalogReference(name: "kill-one")) },
            error {
                try catalog.keep(DefinitionContent(fileName: "a.lua", bytes: [1]), ofRun: "r")
            },
            error { _ = try catalog.content(ofRun: "r") },
        ].compactMap { $0 }
    }
}

@Suite
struct `Versions of the catalogue` {
    @Test
    func `the same content keeps its version, and another gets the next`() throws {
        let test = try TestCatalog()
        #expect(try test.add("a").version.reference.description == "kill-one@1")
        #expect(try test.add("b").version.version == 2)
        let again = try test.add("a")
        #expect(again.version.version == 1)
        #expect(!again.isNew)
        #expect(again.newest == 2)
        #expect(try test.add("a", as: "other").version.reference.description == "other@1")
        #expect(
            try test.catalog.versions().map(\.reference.description) == [
                "kill-one@2", "kill-one@1", "other@1",
            ]
        )
    }

    @Test
    func `comments and blanks are content`() throws {
        let test = try TestCatalog()
        try test.add("a = 1\n")
        #expect(try test.add("a = 1 \n").version.version == 2)
        #expect(try test.add("a = 1\n-- why\n").version.version == 3)
        #expect(try test.add("a = 1").version.version == 4)
    }

    @Test
    func `modules are content, by their path and bytes`() throws {
        let test = try TestCatalog()
        try test.add("a")
        #expect(try test.add("a", modules: ["m.lua": "1"]).version.version == 2)
        #expect(try test.add("a", modules: ["m.lua": "2"]).version.version == 3)
        #expect(try test.add("a", modules: ["n.lua": "1"]).version.version == 4)
        #expect(try test.add("a", modules: ["m.lua": "1"]).version.version == 2)
        let found = try test.catalog.find(CatalogReference(name: "kill-one", version: 3))
        #expect(found.content.modules == ["m.lua": Array("2".utf8)])
    }

    @Test
    func `the digest of a definition without modules is that of its file`() {
        let content = DefinitionContent(fileName: "x.lua", bytes: Array("abc".utf8))
        #expect(
            content.digest
                == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
    }

    @Test
    func `what is stored is what comes back, to the byte`() throws {
        let test = try TestCatalog()
        let bytes: [UInt8] = Array(0...255) + [0, 10, 13]
        let content = DefinitionContent(fileName: "x.lua", bytes: bytes, modules: ["m.lua": bytes])
        _ = try test.catalog.add(content, as: "x", titles: ["x"], at: "t", by: "0")
        #expect(try test.catalog.find(CatalogReference(name: "x")).content == content)
        try test.catalog.keep(content, ofRun: "run-1")
        #expect(try test.catalog.content(ofRun: "run-1") == content)
        #expect(try test.catalog.content(ofRun: "run-2") == nil)
    }

    @Test
    func `a name alone is the newest, and what is missing says what there is`() throws {
        let test = try TestCatalog()
        func message(_ name: String, _ version: Int? = nil) -> String {
            do {
                _ = try test.catalog.find(CatalogReference(name: name, version: version))
                return "found"
            } catch { return "\(error)" }
        }
        #expect(message("kill-one").hasSuffix("it is empty: `moonquake catalog add FILE` fills it"))
        #expect(try test.files.isEmpty)
        try test.add("a")
        try test.add("b")
        #expect(try test.catalog.find(CatalogReference(name: "kill-one")).version.version == 2)
        #expect(message("kil-one").hasSuffix("has no \"kil-one\"; did you mean \"kill-one\"?"))
        #expect(message("zzz").hasSuffix("has no \"zzz\"; known: kill-one"))
        #expect(
            message("kill-one", 7).hasSuffix("has no kill-one@7: the newest version is kill-one@2")
        )
    }

    @Test(arguments: [
        "", "../x", "a/b", "<script>", "a b", "-x", ".x", "é", "a\nb", "a@1",
        String(repeating: "x", count: 300),
    ])
    func `a hostile name is refused`(_ name: String) throws {
        let test = try TestCatalog()
        #expect(throws: CatalogError.self) { try test.add("a", as: name) }
        #expect(try test.files.isEmpty)
    }

    @Test
    func `hostile titles come back as they are`() throws {
        let test = try TestCatalog()
        let titles = [
            "<script>alert(1)</script>", "../../etc/passwd", "a\nb\u{1b}[2J",
            "'; DROP TABLE version; --",
            String(repeating: "x", count: 300), "\u{0}",
        ]
        try test.add("a", titles: titles)
        #expect(try test.catalog.versions().map(\.titles) == [titles])
    }

    @Test(arguments: [
        ("kill-one", "kill-one", nil as Int?), ("kill-one@3", "kill-one", 3),
        ("a.b_c@12", "a.b_c", 12),
    ])
    func `references are read`(_ text: String, _ name: String, _ version: Int?) throws {
        let reference = try CatalogReference(text)
        #expect(reference.name == name)
        #expect(reference.version == version)
        #expect(reference.description == text)
    }

    @Test(arguments: [
        "", "@1", "a@", "a@0", "a@-1", "a@1.5", "a@x", "a@1@2", "a@٣", "a@99999999999999999999",
    ])
    func `what is no reference is refused`(_ text: String) {
        #expect(throws: ParameterProblem.self) { try CatalogReference(text) }
    }
}

@Suite
struct `The file of the catalogue` {
    @Test
    func `is one file, and reading makes none`() throws {
        let test = try TestCatalog()
        #expect(try test.catalog.versions().isEmpty)
        #expect(try test.catalog.content(ofRun: "r") == nil)
        #expect(try test.files.isEmpty)
        try test.add("a")
        #expect(try test.files == ["catalogue.sqlite"])
        let before = try test.bytes
        _ = try test.catalog.versions()
        _ = try test.catalog.find(CatalogReference(name: "kill-one"))
        #expect(try test.bytes == before)
    }

    /// Ways to damage a file of several pages.
    static let damages: [(String, @Sendable (inout Data) -> Void)] = [
        ("nothing left", { $0 = Data() }),
        ("half a header", { $0 = $0.prefix(50) }),
        ("a header and no more", { $0 = $0.prefix(100) }),
        ("half a page", { $0 = $0.prefix(2000) }),
        ("all but the last page", { $0 = $0.dropLast(4096) }),
        ("all but the last byte", { $0 = $0.dropLast(1) }),
        ("a page of zeros", { $0.replaceSubrange(4096..<8192, with: Data(count: 4096)) }),
        ("text", { $0 = Data("experiments, in their order\n".utf8) }),
        (
            "a content that is another",
            { data in
                guard let range = data.firstRange(of: Data("unmistakable".utf8)) else { return }
                data.replaceSubrange(range, with: Data("unmistakaple".utf8))
            }
        ),
    ]

    @Test(arguments: damages.indices)
    func `torn, it is told and left alone byte for byte`(_ index: Int) throws {
        let (name, damage) = Self.damages[index]
        let test = try TestCatalog()
        for number in 0..<40 {
            try test.add("-- unmistakable \(number)\n" + String(repeating: "x", count: 900))
        }
        var torn = try test.bytes
        #expect(torn.count > 3 * 4096)
        damage(&torn)
        #expect(try torn != test.bytes)
        try torn.write(to: URL(filePath: test.catalog.path))
        if index == Self.damages.count - 1 {
            // Only who reads the content can tell.
            #expect(throws: CatalogError.self) {
                for number in 1...40 {
                    _ = try test.catalog.find(CatalogReference(name: "kill-one", version: number))
                }
            }
        } else {
            let errors = test.useAll()
            #expect(errors.count == 5, "\(name): \(errors)")
            #expect(errors.allSatisfy { $0.kind == .unusable }, "\(name): \(errors)")
            #expect(errors.allSatisfy { $0.message.contains("left alone") }, "\(name): \(errors)")
        }
        #expect(try test.bytes == torn, "\(name)")
        #expect(try test.files == ["catalogue.sqlite"], "\(name)")
    }

    @Test(arguments: [
        (68, 0x4d6f_6f6f as UInt32, "is the database of another program"),
        (68, 0, "is the database of another program"),
        (60, 2, "was made by a newer Moonquake (version 2 of its tables, this program knows 1)"),
        (60, 0, "has version 0 of its tables, which never was"),
    ])
    func `foreign or newer, it is told and left alone byte for byte`(
        _ offset: Int,
        _ value: UInt32,
        _ said: String
    ) throws {
        let test = try TestCatalog()
        try test.add("a")
        var foreign = try test.bytes
        let bytes = withUnsafeBytes(of: value.bigEndian) { Data($0) }
        foreign.replaceSubrange(offset..<offset + 4, with: bytes)
        // As another program may have it: with a write-ahead log that opening would replay.
        foreign.replaceSubrange(18..<20, with: [2, 2])
        try foreign.write(to: URL(filePath: test.catalog.path))
        let errors = test.useAll()
        #expect(errors.count == 5)
        #expect(
            errors.allSatisfy { $0.kind == .unusable && $0.message.contains(said) },
            "\(errors)"
        )
        #expect(try test.bytes == foreign)
        #expect(try test.files == ["catalogue.sqlite"])
    }

    @Test
    func `twenty that begin at once make one, and lose nothing`() async throws {
        let test = try TestCatalog()
        let catalog = test.catalog
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<20 {
                group.addTask {
                    let content = DefinitionContent(
                        fileName: "x.lua",
                        bytes: Array("\(number)".utf8)
                    )
                    return try catalog.add(content, as: "x", titles: ["x"], at: "t", by: "0")
                        .version.version
                }
            }
            let versions = try await group.reduce(into: []) { $0.append($1) }
            #expect(versions.sorted() == Array(1...20))
        }
        #expect(try test.files == ["catalogue.sqlite"])
    }
}
