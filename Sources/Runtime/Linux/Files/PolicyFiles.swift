// Where policies are: the host's, which the agent reads itself, and the user's.

package import ChaosModel
import Glibc

/// Policy files.
package enum PolicyFiles {
    /// The host's policy, unless a trusted environment names another.
    package static var system: String {
        TrustedEnvironment.variable("MOONQUAKE_POLICY") ?? "/etc/moonquake/policy.json"
    }

    /// The user's policy; nil for who has no home, or somebody else's: setpriv(1) and su(1) leave `HOME` as it was.
    package static var user: String? {
        let file = "/moonquake/policy.json"
        if let folder = getenv("XDG_CONFIG_HOME") { return String(cString: folder) + file }
        guard let home = getenv("HOME").map({ String(cString: $0) }) else { return nil }
        var status = stat()
        guard stat(home, &status) == 0,
            status.st_uid == geteuid() || access(home, X_OK) == 0
        else { return nil }
        return "\(home)/.config" + file
    }

    /// The host's policy: an open one when there is no file.
    ///
    /// - Throws: `DefinitionError` when the file cannot be read, is wrong, or could be changed by anybody: then
    ///   nothing may run.
    package static func readSystem() throws(DefinitionError) -> Policy {
        try read(system, isTrusted: true) ?? Policy()
    }

    /// A policy that a user names or has; nil when there is no such file.
    package static func read(
        _ path: String,
        isTrusted: Bool = false
    ) throws(DefinitionError) -> Policy? {
        let subject = "policy \(path)"
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else {
            let code = errno
            if code == ENOENT { return nil }
            let reason = String(cString: strerror(code)).lowercased()
            throw DefinitionError(
                subject,
                "cannot be read (\(reason)), so nothing is run: what it forbids is not known"
            )
        }
        let file = Descriptor(number)
        var status = stat()
        guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw DefinitionError(subject, "is no file, so nothing is run")
        }
        let isOpenToOthers = status.st_mode & 0o022 != 0
        let isForeign = status.st_uid != 0 && status.st_uid != geteuid()
        if isTrusted, isOpenToOthers || isForeign {
            throw DefinitionError(
                subject,
                "may be changed by others than root, so nothing is run: chown root and chmod 644"
            )
        }
        let bytes: [UInt8]
        do throws(KernelError) {
            bytes = try file.readAll("read \(path)", limit: 1 << 20)
        } catch {
            throw DefinitionError(subject, "cannot be read, so nothing is run: \(error.reason)")
        }
        return try Policy.parse(String(decoding: bytes, as: UTF8.self), from: path)
    }
}
