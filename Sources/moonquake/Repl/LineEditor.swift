// The person's lines, through libedit where there is a terminal and the library, plain where not.

import CLineEdit
import ChaosModel
import Dispatch
import Glibc

/// Reads lines, and speaks above the one that is being written.
final class LineEditor: Sendable {
    /// What reading a line came to.
    enum Line: Sendable {
        case text(String)
        /// No more lines will come.
        case over
        /// It was given up.
        case cancelled
    }

    /// What TAB means: the text up to the cursor to what is inserted and what may follow.
    typealias Completer = @Sendable (String) -> (insert: String, choices: [String])

    /// What C is given of the completer.
    private final class Context: Sendable {
        let complete: Completer
        init(_ complete: @escaping Completer) { self.complete = complete }
    }

    // SAFETY: the pointer never changes; C guards what several threads touch, and one queue reads.
    private nonisolated(unsafe) let editor: OpaquePointer
    private let context: Context
    private let reading = DispatchQueue(label: "moonquake.prompt")

    /// Opens an editor of standard input and output.
    ///
    /// - Parameters:
    ///   - history: The file of earlier lines; nil for none.
    ///   - complete: Called on the thread that reads.
    /// - Throws: when there is no memory for it.
    init(history: String?, complete: @escaping Completer) throws(CommandFailure) {
        let context = Context(complete)
        let completer: cline_complete = { context, text, length, insert, choices in
            guard let context, let text else { return }
            let bytes = UnsafeRawBufferPointer(start: text, count: length)
            let found = Unmanaged<Context>.fromOpaque(context).takeUnretainedValue()
                .complete(String(decoding: bytes, as: UTF8.self))
            insert?.pointee = strdup(found.insert)
            guard found.choices.count > 1 else { return }
            choices?.pointee = strdup(found.choices.joined(separator: "   ") + "\r\n")
        }
        let opened = cline_open(
            "moonquake",
            history,
            completer,
            Unmanaged.passUnretained(context).toOpaque()
        )
        guard let opened else { throw CommandFailure(.unavailable, "no memory for a prompt") }
        editor = opened
        self.context = context
    }

    deinit { cline_close(editor) }

    /// Why lines cannot be edited; nil when they can.
    var problem: String? {
        var why: UnsafePointer<CChar>?
        return cline_edits(editor, &why) ? nil : why.map { String(cString: $0) } ?? "no editor"
    }

    /// Reads a line; one at a time.
    func line(_ prompt: String) async -> Line {
        await withCheckedContinuation { continuation in
            reading.async { [self] in
                var end = CLINE_OVER
                guard let text = cline_read(editor, prompt, &end) else {
                    return continuation.resume(
                        returning: end == CLINE_CANCELLED ? .cancelled : .over
                    )
                }
                defer { free(text) }
                continuation.resume(returning: .text(String(cString: text)))
            }
        }
    }

    /// Remembers a line in the history.
    func remember(_ line: String) { cline_remember(editor, line) }

    /// Gives up the line that is being read, or the next one.
    func cancel() { cline_cancel(editor) }

    /// Writes text that ends with a line, secrets masked.
    func say(_ text: String, to descriptor: Int32) {
        let shown = Console.redactor.mask(text)
        cline_say(editor, descriptor, shown, shown.utf8.count)
    }
}
