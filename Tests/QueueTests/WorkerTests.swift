// The way between an agent and its workers, on a worker that only repeats what it hears.

import ChaosModel
import ChaosThreads
import Glibc
import Synchronization
import Testing

@testable import ChaosLinux

@Suite
struct `Worker` {
    typealias Echo = WorkerClient<String, String>

    private static func start(onSay: @escaping @Sendable (String) -> Void = { _ in }) throws -> Echo
    {
        try Echo([try QueueNetwork.fixture(), "echo"], name: "the echo", onSay: onSay)
    }

    @Test
    func `answers each request once, and in order`() async throws {
        let heard = Mutex<[String]>([])
        let echo = try Self.start { text in heard.withLock { $0.append(text) } }
        for text in ["a", "b", "c"] { #expect(try await echo.ask(text) == text) }
        let texts = heard.withLock { $0 }
        #expect(texts == ["heard a", "heard b", "heard c"])
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<50 {
                group.addTask { try await echo.ask("\(number)") == "\(number)" }
            }
            for try await isSame in group { #expect(isSame) }
        }
        echo.kill()
    }

    @Test
    func `passes an error on as it was`() async throws {
        let echo = try Self.start()
        let error = await #expect(throws: KernelError.self) { try await echo.ask("fail") }
        #expect(error == KernelError(.unsupported, "echo", "asked to fail"))
        #expect(try await echo.ask("still there") == "still there")
        echo.kill()
    }

    @Test
    func `its end is told with the signal, and fails what waits and what comes`() async throws {
        let echo = try Self.start()
        _ = try await echo.ask("a")
        let pid = try #require(echo.identity?.pid)
        kill(pid, SIGSTOP)
        async let waiting = echo.ask("never answered")
        kill(pid, SIGKILL)
        let end = await echo.ended()
        #expect(end.signal == SIGKILL && end.seen == "killed by signal 9 (SIGKILL)")
        #expect(abs(end.at - LinuxTime().secondsSince1970) < 5)
        do {
            _ = try await waiting
            Issue.record("answered by the dead")
        } catch {
            #expect((error as? KernelError)?.kind == .gone)
        }
        let error = await #expect(throws: KernelError.self) { try await echo.ask("too late") }
        #expect(error?.description == "ask the echo: it has ended, and its faults with it")
        let crashing = try Self.start()
        await #expect(throws: KernelError.self) { try await crashing.ask("crash") }
        #expect(await crashing.ended().seen == "ended with exit status 3")
    }

    @Test
    func `ends when nobody holds its client any more`() async throws {
        var echo: Echo? = try Self.start()
        _ = try await echo?.ask("a")
        let ended = try #require(echo?.ended)
        echo = nil
        #expect(await ended().status == 0)
    }

    @Test
    func `is the child of a thread that goes on, and dies with it by the kernel's hand`()
        async throws
    {
        // The thread that asks for a worker ends at once; the worker must not.
        let echo = try OwnThread.run { () throws(KernelError) -> Echo in
            do { return try Self.start() } catch {
                throw KernelError(.failed, "start", "\(error)")
            }
        }
        #expect(try await echo.ask("parent") == String(getpid()))
        #expect(try await echo.ask("still there") == "still there")
        echo.kill()
    }
}
