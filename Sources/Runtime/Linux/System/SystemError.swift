// errno values as kernel errors, so that each call site says only what it tried.

import ChaosModel
import Glibc

extension KernelError {
    /// What a system call answered.
    ///
    /// `needs` is added where the answer is that we may not: it names the privilege that would do.
    static func system(_ code: Int32, _ operation: String, needs: String? = nil) -> KernelError {
        let kind: Kind =
            switch code {
            case ENOENT, ESRCH, ENXIO: .gone
            case EPERM, EACCES: .notPermitted
            case ENOSYS, EOPNOTSUPP, EAFNOSUPPORT, EPROTONOSUPPORT: .unsupported
            default: .failed
            }
        let text = String(cString: strerror(code))
        let privilege = kind == .notPermitted ? needs.map { "; needs \($0)" } ?? "" : ""
        return KernelError(kind, operation, text + privilege)
    }
}
