// A stop flag that the count hook reads: one C atomic behind an immutable pointer.

import CLuaShim

final class LuaStop: Sendable {
    // SAFETY: the pointer never changes, what it points to is an atomic, and it lives as long as
    // this object.
    nonisolated(unsafe) let pointer: OpaquePointer

    init() {
        pointer = lb_stop_create()
    }

    deinit {
        lb_stop_destroy(pointer)
    }

    var isRaised: Bool {
        lb_stop_is_raised(pointer)
    }

    func raise() {
        lb_stop_raise(pointer)
    }

    func clear() {
        lb_stop_clear(pointer)
    }
}
