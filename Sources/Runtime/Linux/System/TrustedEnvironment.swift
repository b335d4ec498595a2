// The environment of a process that may have more rights than who started it: what file capabilities lifted must not
// be steered by variables of the ordinary user. (sudo drops variables such as ours by itself.)

import Glibc

/// Variables, where the environment can be trusted.
package enum TrustedEnvironment {
    /// The value of a variable; nil when the rights of this process are not those of who started it.
    package static func variable(_ name: String) -> String? {
        guard !isSecure, let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// AT_SECURE of the auxiliary vector: the kernel's word on whether executing us gave us rights (getauxval(3)).
    private static let isSecure: Bool = {
        guard let bytes = try? ProcFile.bytes("/proc/self/auxv") else { return true }
        let words = bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt.self)) }
        let secure: UInt = 23
        for index in stride(from: 0, to: words.count - 1, by: 2) where words[index] == secure {
            return words[index + 1] != 0
        }
        return true
    }()
}
