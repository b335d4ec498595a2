// Workers as a program of its own, for the tests: what `moonquake worker queue` runs, and `load`; `echo` has nothing to
// do with faults.

import ChaosLinux
import ChaosModel
import Glibc

switch CommandLine.arguments.dropFirst().first {
case "load":
    try await LoadWorker.serve()
case "echo":
    let server = try WorkerServer()
    try await server.serve { (text: String) throws(KernelError) -> String in
        switch text {
        case "fail": throw KernelError(.unsupported, "echo", "asked to fail")
        case "crash": exit(3)
        case "parent": return String(getppid())
        default:
            server.say("heard \(text)")
            return text
        }
    }
default:
    try await QueueWorker.serve()
}
