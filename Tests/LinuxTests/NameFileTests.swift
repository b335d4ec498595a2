// Edits of resolv.conf and hosts as text: what was there comes back to the byte, and what others wrote stays.

import ChaosModel
import Testing

@testable import ChaosLinux

struct NameFileTests {
    private static let mark = "moonquake_a1b2c31"

    /// Files as people and programs leave them.
    static let texts = [
        "", "\n", "nameserver 1.1.1.1", "nameserver 1.1.1.1\n",
        "# by hand\nsearch a b\n\nnameserver 1.1.1.1\r\n nameserver\t2.2.2.2 # second\noptions ndots:2\n",
        "127.0.0.1 localhost\n1.1.1.1 a.test\n9.9.9.9 a.test b.test\n::1\tA.Test c.test # mixed\n",
        "#moonquake_other: nameserver 3.3.3.3\nnameserver 4.4.4.4", "\u{0}binary\u{1}\nx",
    ]

    private func file(_ text: String) -> NameFile { NameFile(Array(text.utf8)) }

    private func text(_ file: NameFile) -> String { String(decoding: file.bytes, as: UTF8.self) }

    private func address(_ text: String) throws -> NetworkAddress {
        try #require(NetworkAddress(text))
    }

    @Test(arguments: texts)
    func `an edit that is taken back leaves every byte as it was`(_ before: String) throws {
        for isHosts in [false, true] {
            var edited = file(before)
            if isHosts {
                edited.give(["a.test"], [try address("9.9.9.9")], mark: Self.mark)
            } else {
                edited.redirect(to: [try address("127.83.1.1")], mark: Self.mark)
            }
            #expect(text(edited) != before)
            #expect(edited.has(Self.mark))
            edited.restore(Self.mark)
            #expect(text(edited) == before)
            edited.restore(Self.mark)
            #expect(text(edited) == before)
        }
    }

    @Test
    func `only the responder is asked while resolv.conf is edited`() throws {
        var edited = file("search a\nnameserver 1.1.1.1\nnameserver 2.2.2.2\n")
        edited.redirect(
            to: [try address("127.83.1.1"), try address("127.84.1.1")],
            mark: Self.mark
        )
        let servers = edited.lines.map(\.words).filter { $0.first == "nameserver" }
        #expect(servers == [["nameserver", "127.83.1.1"], ["nameserver", "127.84.1.1"]])
        #expect(text(edited).contains("\nsearch a\n"))
        #expect(text(edited.plain) == "search a\nnameserver 1.1.1.1\nnameserver 2.2.2.2\n")
        edited.restore(Self.mark)
        #expect(text(edited) == "search a\nnameserver 1.1.1.1\nnameserver 2.2.2.2\n")
    }

    @Test
    func `a name has only the addresses given, and names beside it keep theirs`() throws {
        var edited = file("1.1.1.1 a.test\n9.9.9.9 A.test b.test\n7.7.7.7 b.test # a.test\n")
        let given = [try address("8.8.8.8"), try address("fd00::8")]
        edited.give(["a.test"], given, mark: Self.mark)
        let found = edited.lines.map(\.words).filter { $0.contains { $0.lowercased() == "a.test" } }
        #expect(found == [["8.8.8.8", "a.test"], ["fd00:0:0:0:0:0:0:8", "a.test"]])
        let others = edited.lines.map(\.words).filter { $0.contains("b.test") }
        #expect(others == [["9.9.9.9", "b.test"], ["7.7.7.7", "b.test"]])
    }

    @Test
    func `what others write meanwhile stays, also within our lines`() throws {
        var edited = file("nameserver 1.1.1.1\n")
        edited.redirect(to: [try address("127.83.1.1")], mark: Self.mark)
        let meanwhile = "search first\n\(text(edited))# a note\nnameserver 5.5.5.5\n"
        var later = file(meanwhile)
        later.restore(Self.mark)
        #expect(text(later) == "search first\nnameserver 1.1.1.1\n# a note\nnameserver 5.5.5.5\n")
    }

    @Test
    func `two edits are told apart, whichever goes first`() throws {
        let before = "127.0.0.1 localhost\n1.1.1.1 a.test b.test\n"
        for first in [0, 1] {
            var edited = file(before)
            let marks = ["moonquake_1", "moonquake_12"]
            edited.give(["a.test"], [try address("8.8.8.8")], mark: marks[0])
            edited.give(["b.test"], [try address("8.8.4.4")], mark: marks[1])
            edited.restore(marks[first])
            #expect(edited.has(marks[1 - first]) && !edited.has(marks[first]))
            edited.restore(marks[1 - first])
            #expect(text(edited) == before)
        }
    }

    @Test(arguments: [NameMethod.resolvConf, .hosts])
    func `of three edits of the same lines each holds until it ends, in any order`(
        _ method: NameMethod
    ) throws {
        let before = "1.1.1.1 a.test\nnameserver 1.1.1.1 # by hand\nnameserver 2.2.2.2\n"
        let place = NamePlace(namespace: NetworkNamespace(path: "", inode: 1))
        let resolver = SocketEnd(try address("1.1.1.1"), port: 53)
        let faults = try (1...3).map { number in
            NameFault(
                name: "moonquake_a\(number)",
                place: place,
                method: method,
                rule: NameRule(
                    names: [.one("a.test")],
                    action: .spoof([try address("8.8.8.\(number)")], ttlSeconds: 0)
                ),
                resolvers: [resolver],
                listener: try address("127.83.1.\(number)")
            )
        }
        func active(_ file: NameFile) -> [String] {
            let key = method == .hosts ? "a.test" : "nameserver"
            return file.lines.map(\.words).filter { $0.contains { $0 == key } }
                .compactMap { words in words.first { $0 != key } }.map(String.init)
        }
        func given(_ number: Int) -> String {
            (method == .hosts ? "8.8.8." : "127.83.1.") + "\(number)"
        }
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            var edited = file(before)
            var left = faults
            for fault in faults { edited.apply(fault) }
            for index in order {
                #expect(active(edited) == [given((faults.firstIndex { $0 == left.last } ?? 0) + 1)])
                #expect(text(edited.plain) == before)
                let place = try #require(left.firstIndex(of: faults[index]))
                edited.restore(faults[index], before: Array(left[(place + 1)...]))
                left.remove(at: place)
            }
            #expect(text(edited) == before, "\(order)")
        }
    }
}
