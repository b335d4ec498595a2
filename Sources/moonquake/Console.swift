// Standard output for results, standard error for everything else. Writing to a terminal that is gone is no
// error: the rollback matters, not who watches it.

import ChaosModel
import ChaosReport
import Glibc

/// The two outputs of a command.
enum Console {
    /// Masks the secrets that this process has read, in whatever it prints or keeps.
    static let redactor = Redactor()

    /// Prints a result.
    static func output(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

    /// Prints a message for the person at the terminal.
    static func error(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    /// Writes text as it is, but for secrets.
    static func write(_ text: String, to descriptor: Int32) {
        write(Array(redactor.mask(text).utf8), to: descriptor)
    }

    /// Writes bytes as they are.
    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Whether a descriptor is a terminal that can redraw a line.
    static func isTerminal(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb"
    }

    /// Whether words may be painted there.
    static func hasColours(_ descriptor: Int32) -> Bool {
        isTerminal(descriptor) && getenv("NO_COLOR") == nil
    }

    /// The columns of the terminal at a descriptor.
    static func width(_ descriptor: Int32) -> Int {
        var size = winsize()
        return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
            ? Int(size.ws_col) : 80
    }
}
