// Describes a type of objects once; its values are made by `make`.
//
//     let lease = LuaObjectType<Lease>("lease")
//         .field("target") { .string($0.target) }
//         .asyncMethod("revert") { lease, call in try await lease.revert(); return [] }
//         .onClose { lease in try await lease.revert() } stopping: { lease in lease.note() }
//
// Every step returns a new description, so that one may be shared and extended.

/// The name, methods and fields of a kind of objects; a value, made once and shared.
public struct LuaObjectType<Payload: Sendable>: Sendable {
    var shape: LuaObjectShape

    /// Starts the description of a type that scripts know by this name.
    ///
    /// Two types of one state must not share a name.
    public init(_ name: String) {
        shape = LuaObjectShape(name: name)
    }

    /// The name, as messages and `tostring` show it.
    public var name: String {
        shape.name
    }

    /// Makes an object.
    public func make(_ payload: Payload) -> LuaObject {
        LuaObject(payload: payload, shape: shape)
    }

    /// Adds a method: `object:name(…)`.
    ///
    /// The call's arguments are those after the object.
    public func method(
        _ name: String,
        _ handler: @escaping @Sendable (Payload, LuaCall) throws -> [LuaValue]
    ) -> Self {
        adding { $0.methods[name] = .sync { try handler(Self.payload($0), $1) } }
    }

    /// Adds a method that may wait; the script waits meanwhile.
    public func asyncMethod(
        _ name: String,
        _ handler:
            nonisolated(nonsending) @escaping @Sendable (Payload, LuaCall) async throws ->
            [LuaValue]
    ) -> Self {
        adding { $0.methods[name] = .async { try await handler(Self.payload($0), $1) } }
    }

    /// Adds a read-only field: `object.name`.
    public func field(
        _ name: String,
        _ read: @escaping @Sendable (Payload) throws -> LuaValue
    ) -> Self {
        adding { $0.fields[name] = { try read(Self.payload($0)) } }
    }

    /// Makes the objects callable: `object(…)`, `object "text"`, `object { … }`.
    public func call(
        _ handler: @escaping @Sendable (Payload, LuaCall) throws -> [LuaValue]
    ) -> Self {
        adding { $0.call = .sync { try handler(Self.payload($0), $1) } }
    }

    /// Says what `tostring` and messages show; the type's name otherwise.
    public func description(_ describe: @escaping @Sendable (Payload) -> String) -> Self {
        adding { shape in
            let name = shape.name
            shape.describe = { ($0.payload as? Payload).map(describe) ?? name }
        }
    }

    /// Lets `local x <close> = …` end the object when its scope ends.
    ///
    /// - Parameters:
    ///   - handler: Called at a scope's end, also by an error; the script waits for it.
    ///   - stopping: Called instead while the script is being stopped. Nothing may wait then, so
    ///     it must not block: the real work belongs to whoever stopped the script.
    /// - Returns: The description with the handlers.
    public func onClose(
        _ handler: nonisolated(nonsending) @escaping @Sendable (Payload) async throws -> Void,
        stopping: @escaping @Sendable (Payload) throws -> Void
    ) -> Self {
        adding { shape in
            shape.close = LuaObjectShape.Close(
                waiting: { object, _ in
                    try await handler(Self.payload(object))
                    return []
                },
                stopping: { object, _ in try stopping(Self.payload(object)) }
            )
        }
    }

    private func adding(_ change: (inout LuaObjectShape) -> Void) -> Self {
        var copy = self
        change(&copy.shape)
        return copy
    }

    private static func payload(_ object: LuaObject) throws(LuaArgumentError) -> Payload {
        if let payload = object.payload as? Payload { return payload }
        throw LuaArgumentError(
            function: object.typeName,
            message: "two types of objects share this name"
        )
    }
}
