// Objects on a stack: userdata that own the Swift object, one metatable for each type.

import CLua
import CLuaShim

extension LuaState {
    /// Pushes an object; the same object is the same userdata as long as scripts hold it.
    func push(_ object: LuaObject, on stack: OpaquePointer) {
        let pointer = Unmanaged.passUnretained(object).toOpaque()
        pushHidden("objects", on: stack)
        if lua_rawgetp(stack, -1, pointer) != LUA_TUSERDATA {
            lb_pop(stack, 1)
            lb_push_object(stack, Unmanaged.passRetained(object).toOpaque())
            pushMetatable(of: object.shape, on: stack)
            lua_setmetatable(stack, -2)
            lua_pushvalue(stack, -1)
            lua_rawsetp(stack, -3, pointer)
        }
        lua_rotate(stack, -2, 1)
        lb_pop(stack, 1)
    }

    /// The object at an index, nil for any other userdata.
    func object(at index: Int32, of stack: OpaquePointer) -> LuaObject? {
        guard lua_getmetatable(stack, index) != 0 else { return nil }
        let isObject = lua_rawgetp(stack, -1, objectMark) != LUA_TNIL
        lb_pop(stack, 2)
        guard isObject, let box = lb_object_box(stack, index) else { return nil }
        return Unmanaged<LuaObject>.fromOpaque(box).takeUnretainedValue()
    }

    /// A key that no script can make.
    private var objectMark: UnsafeRawPointer {
        UnsafeRawPointer(main)
    }

    private func pushMetatable(of shape: LuaObjectShape, on stack: OpaquePointer) {
        if let reference = metatables[shape.name] {
            pushKept(reference, on: stack)
            return
        }
        lua_createtable(stack, 0, 10)
        lua_pushboolean(stack, 1)
        lua_rawsetp(stack, -2, objectMark)
        set("__metatable", on: stack) { push("locked", on: stack) }
        set("__name", on: stack) { push(shape.name, on: stack) }
        set("__gc", on: stack) { lb_push_release(stack) }
        set("__tostring", on: stack) { push(describing(shape), on: stack) }
        set("__newindex", on: stack) { push(refusing(shape), on: stack) }
        set("__index", on: stack) { pushIndex(of: shape, on: stack) }
        if let call = shape.call {
            set("__call", on: stack) { push(function(call, shape.name, shape), on: stack) }
        }
        if let close = shape.close {
            set("__close", on: stack) { push(closing(close, shape), on: stack) }
        }
        lua_pushvalue(stack, -1)
        metatables[shape.name] = keep(stack)
    }

    private func set(_ key: String, on stack: OpaquePointer, _ pushValue: () -> Void) {
        pushValue()
        lua_setfield(stack, -2, key)
    }

    private func pushIndex(of shape: LuaObjectShape, on stack: OpaquePointer) {
        push(reading(shape), on: stack)
        lua_createtable(stack, 0, Int32(shape.methods.count))
        for (name, method) in shape.methods {
            let function = function(method, "\(shape.name).\(name)", shape)
            set(name, on: stack) { push(function, on: stack) }
        }
        lb_push_object_index(stack)
    }

    private func function(
        _ method: LuaObjectShape.Method,
        _ name: String,
        _ shape: LuaObjectShape
    ) -> LuaHostFunction {
        switch method {
        case .sync(let handler):
            LuaHostFunction(
                name: name,
                .sync { call in
                    let (object, rest) = try call.takingObject(of: shape.name)
                    return try handler(object, rest)
                }
            )
        case .async(let handler):
            LuaHostFunction(
                name: name,
                .async { call in
                    let (object, rest) = try call.takingObject(of: shape.name)
                    return try await handler(object, rest)
                }
            )
        }
    }

    private func closing(_ close: LuaObjectShape.Close, _ shape: LuaObjectShape)
        -> LuaHostFunction
    {
        LuaHostFunction(
            name: "\(shape.name).close",
            .close(
                { call in
                    let (object, rest) = try call.takingObject(of: shape.name)
                    return try await close.waiting(object, rest)
                },
                stopping: { call in
                    let (object, rest) = try call.takingObject(of: shape.name)
                    try close.stopping(object, rest)
                }
            )
        )
    }

    private func reading(_ shape: LuaObjectShape) -> LuaHostFunction {
        LuaHostFunction(
            name: shape.name,
            .sync { call in
                let (object, rest) = try call.takingObject(of: shape.name)
                let key = rest[1].string ?? rest[1].description
                if let read = shape.fields[key] { return [try read(object)] }
                let known = Array(shape.methods.keys) + shape.fields.keys
                throw LuaNameError(
                    "\(shape.name).\(key) is unknown"
                        + LuaNames.hint(key, among: known, prefix: "\(shape.name).")
                )
            }
        )
    }

    private func refusing(_ shape: LuaObjectShape) -> LuaHostFunction {
        LuaHostFunction(
            name: shape.name,
            .sync { call in
                let key = call[2].string ?? call[2].description
                throw LuaNameError(
                    "cannot assign \(shape.name).\(key): a \(shape.name) is read-only"
                )
            }
        )
    }

    private func describing(_ shape: LuaObjectShape) -> LuaHostFunction {
        LuaHostFunction(
            name: shape.name,
            .sync { [.string($0[1].object?.description ?? shape.name)] }
        )
    }
}

extension LuaCall {
    /// The object that a method was called on, and the call without it.
    fileprivate func takingObject(of type: String) throws -> (LuaObject, LuaCall) {
        guard let object = self[1].object, object.typeName == type else {
            throw LuaArgumentError(
                function: function,
                message: "must be called on a \(type), with a colon; got \(self[1])"
            )
        }
        let rest = LuaCall(
            function: function,
            arguments: Array(arguments.dropFirst()),
            location: location
        )
        return (object, rest)
    }
}
