// A terminal with a person at it: what the program shows is read, and keys are pressed.

import Glibc
import TestSupport

/// The end of a pseudo-terminal that a terminal program would hold.
final class Terminal {
    private let master: Int32
    private var isOpen = true
    private var seen: [UInt8] = []
    /// Where the next `shows` begins to look.
    private var mark = 0

    /// The path of the end that a program opens.
    let path: String

    init() throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        var isLocked: Int32 = 0
        var number: UInt32 = 0
        // TIOCSPTLCK and TIOCGPTN, which Swift's Glibc does not show (ioctl_tty(2)).
        guard master >= 0, ioctl(master, 0x4004_5431, &isLocked) == 0,
            ioctl(master, 0x8004_5430, &number) == 0
        else {
            throw SetUpError("no pseudo-terminal: \(String(cString: strerror(errno)))")
        }
        var size = winsize(ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
        path = "/dev/pts/\(number)"
    }

    deinit { hangUp() }

    /// Presses keys.
    func type(_ keys: String) {
        var bytes = Array(keys.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Everything shown so far, control sequences included.
    var text: String {
        take()
        return String(decoding: seen, as: UTF8.self)
    }

    /// Waits until a text is shown after what was waited for before.
    func shows(_ text: String, within limit: Duration = .seconds(20)) throws {
        let wanted = Array(text.utf8)
        let found = eventually(within: limit) { () -> Int? in
            take()
            return seen[mark...].firstRange(of: wanted)?.upperBound
        }
        guard let found else {
            let rest = String(decoding: seen[mark...], as: UTF8.self)
            throw SetUpError(
                "the terminal does not show \(text); it shows \(rest.debugDescription)"
            )
        }
        mark = found
    }

    /// Goes away, as a dropped line does.
    func hangUp() {
        guard isOpen else { return }
        isOpen = false
        close(master)
    }

    private func take() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while isOpen {
            let count = read(master, &buffer, buffer.count)
            guard count > 0 else { return }
            seen += buffer[..<count]
        }
    }
}
