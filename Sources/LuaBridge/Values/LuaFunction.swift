// A function: either one of Lua's, kept in the registry of its state, or one of Swift's.

import Synchronization

/// A function that scripts or Swift may call.
public final class LuaFunction: Sendable {
    enum Storage: Sendable {
        case lua(reference: Int32, owner: LuaReferences)
        case host(LuaHostFunction)
    }

    let storage: Storage
    /// Where it is defined, nil for functions of Swift and of the standard library.
    public let location: LuaLocation?

    init(reference: Int32, owner: LuaReferences, location: LuaLocation?) {
        storage = .lua(reference: reference, owner: owner)
        self.location = location
    }

    /// Makes a function of Swift that a script may be given, for example by another function.
    ///
    /// This is how `experiment "title" { … }` is made: the first call returns such a function.
    public init(
        name: String,
        _ handler: @escaping @Sendable (LuaCall) throws -> [LuaValue]
    ) {
        storage = .host(LuaHostFunction(name: name, .sync(handler)))
        location = nil
    }

    /// Makes a function of Swift that may wait; the script waits meanwhile.
    public init(
        asyncName name: String,
        _ handler: @escaping LuaAsyncHandler
    ) {
        storage = .host(LuaHostFunction(name: name, .async(handler)))
        location = nil
    }

    deinit {
        if case .lua(let reference, let owner) = storage {
            owner.release(reference)
        }
    }
}

extension LuaFunction: Hashable, CustomStringConvertible {
    /// True for the same reference; two references to one Lua function are not equal.
    public static func == (left: LuaFunction, right: LuaFunction) -> Bool {
        left === right
    }

    /// Hashes the identity.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self))
    }

    /// The place of the definition, or the name of a Swift function.
    public var description: String {
        if let location { return "\(location)" }
        if case .host(let function) = storage { return function.name }
        return "(built in)"
    }
}

/// The references that Swift let go, from whatever thread; the state drops them when it runs next.
final class LuaReferences: Sendable {
    private let released = Mutex<[Int32]>([])

    func release(_ reference: Int32) {
        released.withLock { $0.append(reference) }
    }

    func take() -> [Int32] {
        released.withLock { references in
            defer { references.removeAll() }
            return references
        }
    }
}
