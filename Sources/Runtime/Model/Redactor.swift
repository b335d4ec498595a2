// Secrets in texts. A definition names a secret by the variable that holds it; whatever this program writes (journal,
// log, report, events, errors) goes through here first.

import Synchronization

/// Masks the secrets that a program has read.
package final class Redactor: Sendable {
    /// The fewest characters of a secret: masking a shorter one would mask half of every text.
    package static let fewestCharacters = 4

    /// As much of a secret as gives it away; messages cut long values, so that its end may be missing.
    private static let tellingCharacters = 8

    private struct Form {
        var characters: [Character]
        var mask: [Character]
    }

    private let forms = Mutex<[Form]>([])

    /// Makes a redactor that knows no secret.
    package init() {}

    /// Whether there is anything to mask.
    package var isEmpty: Bool { forms.withLock(\.isEmpty) }

    /// Learns a secret, and how it looks escaped in JSON, in a URL and in our messages.
    package func learn(_ secret: String, named name: String) {
        let texts = [
            secret, secret.escapedForDisplay(limit: .max), Self.json(secret),
            secret.percentEncoded(),
        ]
        let mask = Array("[secret \(name)]")
        forms.withLock { forms in
            for text in Set(texts) {
                let characters = Array(text)
                guard !forms.contains(where: { $0.characters == characters }) else { continue }
                forms.append(Form(characters: characters, mask: mask))
            }
            forms.sort { $0.characters.count > $1.characters.count }
        }
    }

    /// Whether a text has a secret in it.
    package func finds(in text: String) -> Bool { mask(text) != text }

    /// The text with each secret replaced by `[secret NAME]`.
    package func mask(_ text: String) -> String {
        let forms = forms.withLock { $0 }
        guard !forms.isEmpty else { return text }
        let characters = Array(text)
        var masked: [Character] = []
        masked.reserveCapacity(characters.count)
        var index = 0
        while index < characters.count {
            if let (form, length) = Self.match(forms, characters, at: index) {
                masked += form.mask
                index += length
            } else {
                masked.append(characters[index])
                index += 1
            }
        }
        return String(masked)
    }

    /// A value with each secret in its strings masked.
    package func mask(_ value: ParameterValue) -> ParameterValue {
        switch value {
        case .boolean, .number: value
        case .string(let text): .string(mask(text))
        case .list(let items): .list(items.map(mask))
        case .table(let fields): .table(fields.mapValues(mask))
        }
    }

    /// The longest form that starts here, and how much of it is there.
    private static func match(
        _ forms: [Form],
        _ text: [Character],
        at start: Int
    ) -> (Form, length: Int)? {
        var best: (form: Form, length: Int)?
        for form in forms where form.characters.first == text[start] {
            var length = 0
            while length < form.characters.count, start + length < text.count,
                form.characters[length] == text[start + length]
            {
                length += 1
            }
            let isTelling = length >= min(form.characters.count, tellingCharacters)
            if isTelling, length > best?.length ?? 0 { best = (form, length) }
        }
        return best.map { ($0.form, $0.length) }
    }

    private static func json(_ text: String) -> String {
        guard let line = try? WireJSON.line([text]) else { return text }
        return String(line.dropFirst(2).dropLast(2))
    }
}
