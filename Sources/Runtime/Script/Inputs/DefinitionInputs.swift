// What comes into a definition from outside: `--param`, and variables of the environment, some of them secret.

package import ChaosModel
import Synchronization

/// What a definition may ask for.
package struct DefinitionInputs: Sendable {
    /// What `--param NAME=VALUE` gave, as written.
    package let arguments: [String: String]
    /// A variable of the environment; nil when it is not set.
    package let variable: @Sendable (String) -> String?
    /// What masks the secrets that were read.
    package let redactor: Redactor
    /// What was declared in this file, and the values it got.
    let declared: DeclaredParameters

    /// Makes inputs.
    package init(
        arguments: [String: String] = [:],
        variable: @escaping @Sendable (String) -> String? = { _ in nil },
        redactor: Redactor = Redactor()
    ) {
        self.arguments = arguments
        self.variable = variable
        self.redactor = redactor
        declared = DeclaredParameters()
    }

    /// The same for another file.
    var fresh: DefinitionInputs {
        DefinitionInputs(arguments: arguments, variable: variable, redactor: redactor)
    }

    /// The value of a variable.
    func environment(
        _ name: String,
        default fallback: String? = nil
    ) throws(DefinitionError) -> String {
        try check(name, of: "env")
        if let value = variable(name) ?? fallback { return value }
        throw DefinitionError(
            "env",
            "the variable \(name) is not set: set it, or give a default"
        )
    }

    /// The value of a variable that must never be shown.
    func secret(_ name: String) throws(DefinitionError) -> String {
        try check(name, of: "secret")
        guard let value = variable(name) else {
            throw DefinitionError(
                "secret",
                "the variable \(name) is not set: export it before the run"
            )
        }
        guard value.count >= Redactor.fewestCharacters else {
            throw DefinitionError(
                "secret",
                "the variable \(name) has \(value.count) characters; a secret needs at least "
                    + "\(Redactor.fewestCharacters), or it could not be masked"
            )
        }
        redactor.learn(value, named: name)
        return value
    }

    private func check(_ name: String, of subject: String) throws(DefinitionError) {
        let isName =
            !name.isEmpty && name.utf8.count <= 256 && name.first?.isNumber == false
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        guard !isName else { return }
        throw DefinitionError(
            subject,
            "expects the name of a variable such as \"API_TOKEN\", got \"\(name.escapedForDisplay)\""
        )
    }

    /// Refuses `--param` for what the file does not declare.
    func checkArguments(of file: String) throws(DefinitionError) {
        let known = declared.values.keys
        for name in arguments.keys.sorted() where declared.values[name] == nil {
            let hint =
                known.isEmpty
                ? "; it declares none" : NearestName.hint(for: name, among: Array(known))
            throw DefinitionError(
                "--param",
                "\(file) has no parameter \"\(name.escapedForDisplay)\"\(hint)"
            )
        }
    }
}

/// The parameters that a file has declared so far.
final class DeclaredParameters: Sendable {
    private let state = Mutex<[String: ParameterValue]>([:])

    /// The values by name.
    var values: [String: ParameterValue] { state.withLock { $0 } }

    func add(_ name: String, _ value: ParameterValue) {
        state.withLock { $0[name] = value }
    }
}
