// Lua tables to Decodable types, with errors that a script's author can act on.

/// Decodes Lua values.
///
/// A `LuaValue` or `LuaTable` inside a decoded type takes the value as it is, functions and objects
/// included.
public struct LuaDecoder: Sendable {
    /// What the path in errors begins with, for example the name of the builder.
    public var name: String

    /// Makes a decoder whose errors begin with a name.
    public init(name: String = "") {
        self.name = name
    }

    /// Decodes a value.
    ///
    /// - Throws: an error that names the path: `experiment.steady_state.every: expected a string, got 1
    ///   (integer)`.
    public func decode<Value: Decodable>(
        _ type: Value.Type,
        from value: LuaValue
    ) throws(LuaDecodingError) -> Value {
        do {
            return try Value(from: LuaValueDecoder(value: value, codingPath: []))
        } catch let error as DecodingError {
            throw LuaDecodingError(error, name: name)
        } catch let error as LuaDecodingError {
            throw error.prefixed(name)
        } catch {
            throw LuaDecodingError(path: name, message: String(describing: error))
        }
    }
}

/// A value that does not fit a type, and where it lies.
public struct LuaDecodingError: Error, Hashable, CustomStringConvertible {
    /// Names joined by dots, list positions in brackets: `metrics.p99.between[2]`.
    public let path: String
    /// What is wrong there.
    public let message: String

    /// Makes an error, as an `init(from:)` of one's own may need to.
    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }

    /// `path: message`.
    public var description: String {
        path.isEmpty ? message : "\(path): \(message)"
    }

    init(_ error: DecodingError, name: String) {
        switch error {
        case .keyNotFound(let key, let context):
            self.init(path: Self.path(context.codingPath + [key], name), message: "is missing")
        case .valueNotFound(_, let context), .typeMismatch(_, let context),
            .dataCorrupted(let context):
            self.init(
                path: Self.path(context.codingPath, name),
                message: context.debugDescription
            )
        @unknown default:
            self.init(path: name, message: String(describing: error))
        }
    }

    func prefixed(_ name: String) -> LuaDecodingError {
        guard !name.isEmpty else { return self }
        let separator = path.isEmpty || path.hasPrefix("[") ? "" : "."
        return LuaDecodingError(path: name + separator + path, message: message)
    }

    /// A coding path as scripts write it; positions count from 1.
    static func path(_ keys: [any CodingKey], _ name: String) -> String {
        keys.reduce(into: name) { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }
}
