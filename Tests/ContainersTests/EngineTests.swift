// A real engine: Podman from Debian's packages, with storage, containers and a socket of the test's own.

import ChaosContainers
import ChaosLinux
import ChaosModel
import ChaosTargets
import Glibc
import Testing

@Suite(
    .serialized,
    .enabled(if: Podman.isThere, "SKIPPED: needs root, podman, runc and busybox-static")
)
struct `A container engine` {
    private func kernel(_ podman: Podman) -> Kernel {
        Kernel(
            processes: LinuxProcesses(),
            groups: LinuxControlGroups(),
            loads: LinuxLoads(worker: ["/bin/false"]),
            packets: LinuxPacketFilter(),
            shaping: LinuxTrafficShaper(worker: ["/bin/false"]),
            requests: LinuxRequestFaults(worker: ["/bin/false"]),
            names: LinuxNameFaults(responder: ["/bin/false"], lookup: ["/bin/false"]),
            network: LinuxNetwork(),
            host: LinuxHost(),
            time: LinuxTime(),
            containers: DockerEngines(
                sockets: EngineSockets(environment: { _ in nil }, usual: [podman.socket])
            )
        )
    }

    @Test
    func `containers are found by label, and become processes and namespaces`() async throws {
        let podman = try Podman()
        let web = try podman.run(
            "web",
            labels: ["app=web"],
            "/bin/busybox sleep 600 & exec /bin/busybox sleep 601"
        )
        try podman.run("db", labels: ["app=db"], "exec /bin/busybox sleep 602")
        let resolver = TargetResolver(kernel: kernel(podman))
        let selector = TargetSelector(kind: .container, options: ["label": "app=web"])

        let processes = try await resolver.candidates(selector, reach: .processes)
        #expect(processes.map(\.name) == ["web"])
        #expect(processes.first?.parts.map(\.name) == ["busybox", "busybox"])
        #expect(processes.first?.parts.first?.group?.id == web)

        let namespace = try await resolver.candidates(selector, reach: .namespace)
        let leader = try #require(processes.first?.parts.first?.process)
        let inode = try LinuxNetwork().namespace(of: leader).inode
        #expect(namespace.first?.parts.first?.identity == .namespace(inode: inode))
        #expect(inode != (try LinuxNetwork().ownNamespace().inode))

        // What `exec` starts has a parent outside, and is in the container all the same.
        try podman.call(["exec", "-d", "web", "/bin/busybox", "sleep", "603"])
        let more = try await resolver.candidates(selector, reach: .processes)
        #expect(more.first?.parts.count == 3)
    }

    @Test
    func `a restarted container is another process, a removed one is gone`() async throws {
        let podman = try Podman()
        try podman.run("web", labels: [], "exec /bin/busybox sleep 600")
        let resolver = TargetResolver(kernel: kernel(podman))
        let selector = TargetSelector(kind: .container, options: ["name": "web"])
        let before = try await resolver.candidates(selector, reach: .leader).first?.parts.first
        try podman.call(["restart", "-t", "0", "web"])
        let after = try await resolver.candidates(selector, reach: .leader).first?.parts.first
        #expect(before?.identity != after?.identity)
        #expect(before?.unit == after?.unit)
        try podman.call(["stop", "-t", "0", "web"])
        await #expect(throws: TargetError.self) { try await resolver.candidates(selector) }
    }

    @Test
    func `an engine that is not there, does not listen or is remote is said in words`() async {
        func message(_ given: String) async -> String {
            do throws(KernelError) {
                _ = try await DockerEngines().containers(socket: given)
                return ""
            } catch { return error.description }
        }
        #expect(
            await message("/nonexistent.sock")
                == "ask the container engine at /nonexistent.sock: there is no such socket"
        )
        #expect(await message("tcp://10.0.0.1:2375").contains("must be a socket on this host"))
        let nowhere = EngineSockets(environment: { _ in nil }, usual: ["/nonexistent.sock"])
        let error = #expect(throws: KernelError.self) { try nowhere.find(given: nil) }
        #expect(
            error?.reason
                == "no socket at /nonexistent.sock, and no $DOCKER_HOST; start Docker, or `podman system "
                + "service --time 0`, or give `socket`"
        )
    }

    @Test
    func `DOCKER_HOST wins over the usual places, and a link is asked once`() throws {
        let podman = try Podman()
        let link = podman.folder + "/link.sock"
        symlink(podman.socket, link)
        let both = EngineSockets(environment: { _ in nil }, usual: [link, podman.socket])
        #expect(try both.find(given: nil) == [link])
        let host = EngineSockets(
            environment: { $0 == "DOCKER_HOST" ? "unix:///run/elsewhere.sock" : nil },
            usual: [podman.socket]
        )
        #expect(try host.find(given: nil) == ["/run/elsewhere.sock"])
    }
}
