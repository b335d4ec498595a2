// The host, the clock, namespaces by name, host names, tools.

import ChaosModel
import ChaosThreads
import Glibc
import Testing

@testable import ChaosLinux

struct HostTests {
    @Test
    func `the boot id is one line of 36 characters`() throws {
        let id = try LinuxHost().bootID()
        #expect(id.count == 36)
        #expect(try LinuxHost().bootID() == id)
    }

    @Test
    func `capabilities are the bits of linux/capability.h`() {
        #expect(Capability.names(in: 0).isEmpty)
        #expect(Capability.names(in: 1 << 12 | 1 << 21) == ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"])
        #expect(Capability.names(in: 1 << 40) == ["CAP_CHECKPOINT_RESTORE"])
        #expect(Capability.names.count == 41)
        #expect(!LinuxHost().hasCapability("CAP_NO_SUCH"))
    }

    @Test
    func `lines of /proc/net/tcp are ends of sockets, those of mapped addresses IPv4`() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0200090A:1F90 0700090A:C350 01 00000000:00000000 00:00000000 00000000     0        0 11 1
               1: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1
               2: 0000000000000000FFFF00000200090A:1F90 0000000000000000FFFF00000700090A:0050 01 0:0 0 0 0 0 13
               3: 000000FD000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 0 0 0 0 14
               4: torn
            """
        let ends = SocketTable.ends(in: Array(table.utf8), state: "01")
        #expect(ends.map(\.local.description) == ["10.9.0.2:8080", "10.9.0.2:8080"])
        #expect(ends.map(\.remote.description) == ["10.9.0.7:50000", "10.9.0.7:80"])
        let listeners = SocketTable.ends(in: Array(table.utf8), state: "0A").map(
            \.local.description
        )
        #expect(listeners == ["0.0.0.0:443", "[fd00:0:0:0:0:0:0:1]:8080"])
    }

    @Test
    func `the ancestry begins here and goes on to the parent`() {
        let ancestry = LinuxHost().ancestry()
        #expect(Array(ancestry.prefix(2)) == [getpid(), getppid()])
        #expect(Set(ancestry).count == ancestry.count)
    }

    @Test
    func `the clock goes on and sleep is not early`() async throws {
        let time = LinuxTime()
        let end = time.now.advanced(by: .milliseconds(20))
        try await time.sleep(until: end)
        #expect(time.now >= end)
        try await time.sleep(until: end)
        #expect(time.secondsSince1970 > 1_700_000_000)
    }

    @Test
    func `sleep ends when it is cancelled`() async {
        let sleeping = Task { try await LinuxTime().sleep(for: .seconds(600)) }
        sleeping.cancel()
        await #expect(throws: CancellationError.self) { try await sleeping.value }
    }

    @Test
    func `host names have addresses of both families, each once`() async throws {
        let network = LinuxNetwork()
        let own = try await network.addresses(of: "localhost")
        #expect(own.contains { $0.isLoopback })
        #expect(Set(own).count == own.count)
        let error = await #expect(throws: KernelError.self) {
            try await network.addresses(of: "no-such-host.invalid")
        }
        #expect(error?.operation == "look up no-such-host.invalid")
    }

    @Test(arguments: ["", ".", "..", "a/b", "../x", "a\nb", "a\0b", "\u{7f}"])
    func `a name that no namespace can have is refused`(_ name: String) {
        #expect(throws: KernelError.self) { try LinuxNetwork().namespace(named: name) }
    }

    @Test
    func `a namespace is found by name, by process, and entered by exactly its inode`() throws {
        let network = try TestNetwork()
        let ports = LinuxNetwork()
        #expect(try ports.namespace(named: "mqt-none") == nil)
        #expect(network.near != network.far)
        let seen = try LinuxNamespaces.within(network.near) { () throws(KernelError) in
            NamespaceFile.inode(of: "/proc/thread-self/ns/net")
        }
        #expect(seen == network.near.inode)
        let name = network.farName
        let entered = try OwnThread.run { () throws(KernelError) in
            try LinuxNamespaces.enter(name)
            return NamespaceFile.inode(of: "/proc/thread-self/ns/net")
        }
        #expect(entered == network.far.inode)
        let own = try ports.ownNamespace()
        #expect(own.inode == NamespaceFile.inode(of: "/proc/self/ns/net"))
        let swapped = NetworkNamespace(path: network.near.path, inode: network.far.inode)
        let error = #expect(throws: KernelError.self) {
            try LinuxNamespaces.within(swapped) { () throws(KernelError) in }
        }
        #expect(error?.kind == .gone)
    }

    @Test
    func `a tool is given its input, and killed when it takes too long`() throws {
        let cat = try #require(Tool(named: "cat"))
        let text = String(repeating: "0123456789", count: 100_000)
        #expect(try cat.run([], input: text).output == text)
        let sleep = try #require(Tool(named: "sleep"))
        let error = #expect(throws: KernelError.self) {
            try sleep.run(["60"], limit: .milliseconds(50))
        }
        #expect(error?.reason == "not done after 50ms, killed")
        #expect(try sleep.run(["x"]).status == 1)
        #expect(Tool(named: "no-such-tool-anywhere") == nil)
    }
}
