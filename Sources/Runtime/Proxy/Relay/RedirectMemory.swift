// What the kernel remembers of connections that it redirected to us.

package import ChaosModel

/// The kernel's memory of redirected connections, as far as a proxy changes it.
package protocol RedirectMemory: Sendable {
    /// Forgets a client's connection to a listener of ours, which we have reset.
    ///
    /// The client may make another from the same port, while other redirects are in force.
    func forget(connectionFrom client: SocketEnd, to listener: SocketEnd)
}
