// The worker of one load: it holds what it was asked for until it is killed, which is also how it is put back. So the
// end of the agent, a crash and a rollback are the same to the kernel.

package import ChaosModel
import Glibc

/// Something that is used up for as long as the process lives.
protocol HeldResource: Sendable {
    /// Begins, and returns when the load is there or has begun to grow.
    ///
    /// - Parameter say: tells the agent something that happened later.
    /// - Throws: What kept it from being there.
    func begin(_ say: @escaping @Sendable (String) -> Void) async throws(KernelError)

    /// What it does now.
    func state() throws(KernelError) -> LoadState
}

/// Serves one load.
package enum LoadWorker {
    /// Serves the agent until its input closes.
    ///
    /// - Throws: What kept the process from serving.
    package static func serve() async throws(KernelError) {
        let server = try WorkerServer()
        let held = Shared<(any HeldResource)?>(nil)
        try await server.serve(endsAtOnce: true) {
            (request: LoadRequest) async throws(KernelError) -> LoadReply in
            switch request {
            case .begin(let load, let name):
                guard held.value == nil else {
                    throw KernelError(.failed, "begin \(name)", "this worker has a load already")
                }
                let resource = resource(for: load, name: name)
                held.value = resource
                try await resource.begin(server.say)
                return LoadReply()
            case .state:
                return LoadReply(state: try held.value?.state())
            }
        }
    }

    private static func resource(for load: Load, name: String) -> any HeldResource {
        switch load {
        case .processor(let load): HeldProcessors(load)
        case .memory(let load): HeldMemory(load)
        case .space(let load): HeldSpace(load, name: name)
        case .transfer(let load): HeldTransfers(load, name: name)
        }
    }
}
