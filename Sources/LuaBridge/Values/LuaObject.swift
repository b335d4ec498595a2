// A Swift value that scripts hold: a full userdata in Lua, a class instance in Swift.

/// A Swift value that scripts may hold, with the methods and fields of its type.
public final class LuaObject: Sendable {
    /// What the object stands for.
    public let payload: any Sendable
    let shape: LuaObjectShape

    init(payload: any Sendable, shape: LuaObjectShape) {
        self.payload = payload
        self.shape = shape
    }

    /// The name of its type.
    public var typeName: String {
        shape.name
    }

    /// The payload, nil when the object is of another type.
    public func payload<Payload>(of type: LuaObjectType<Payload>) -> Payload? {
        shape.name == type.name ? payload as? Payload : nil
    }
}

extension LuaObject: Hashable, CustomStringConvertible {
    /// True for the same object.
    public static func == (left: LuaObject, right: LuaObject) -> Bool {
        left === right
    }

    /// Hashes the identity.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self))
    }

    /// What `tostring` gives.
    public var description: String {
        shape.describe?(self) ?? shape.name
    }
}

/// The members of a type of objects, without the payload's Swift type.
struct LuaObjectShape: Sendable {
    typealias Handler = @Sendable (LuaObject, LuaCall) throws -> [LuaValue]
    typealias AsyncHandler =
        nonisolated(nonsending) @Sendable (LuaObject, LuaCall) async throws -> [LuaValue]

    enum Method: Sendable {
        case sync(Handler)
        case async(AsyncHandler)
    }

    struct Close: Sendable {
        let waiting: AsyncHandler
        let stopping: @Sendable (LuaObject, LuaCall) throws -> Void
    }

    let name: String
    var methods: [String: Method] = [:]
    var fields: [String: @Sendable (LuaObject) throws -> LuaValue] = [:]
    var call: Method?
    var describe: (@Sendable (LuaObject) -> String)?
    var close: Close?
}
