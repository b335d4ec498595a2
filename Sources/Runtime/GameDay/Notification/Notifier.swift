// Who is told of a GameDay, and what they are told.

import ChaosModel

/// Where notices go.
package enum Notifier: Sendable, Hashable, Codable {
    /// An HTTP POST of a JSON object whose `text` is what chat services show.
    case webhook(url: String, headers: [String: String])
    /// An email, by way of an SMTP server: `smtps://` or `smtp://` (with STARTTLS).
    case email(Email)
    /// A program that reads the JSON object on its standard input.
    case command([String])

    /// An email's way.
    package struct Email: Sendable, Hashable, Codable {
        /// Those who get it.
        package var to: [String]
        /// Who it comes from.
        package var from: String
        /// The server: `smtps://mail.example.org:465`.
        package var via: String
        /// The login; nil for none.
        package var user: String?
        /// Its password.
        package var password: String?
        /// A file with the certificates to trust instead of the system's.
        package var caFile: String?
        /// Whether a server without TLS is accepted.
        package var allowsPlain: Bool

        /// Makes an email's way.
        package init(
            to: [String],
            from: String,
            via: String,
            user: String? = nil,
            password: String? = nil,
            caFile: String? = nil,
            allowsPlain: Bool = false
        ) {
            self.to = to
            self.from = from
            self.via = via
            self.user = user
            self.password = password
            self.caFile = caFile
            self.allowsPlain = allowsPlain
        }
    }

    /// Its name for reports, without secrets: addresses of webhooks often are one.
    package var name: String {
        switch self {
        case .webhook(let url, _): "webhook \(Self.host(of: url))"
        case .email(let email): "email to \(email.to.joined(separator: ", "))"
        case .command(let arguments): "command \(arguments.first ?? "")"
        }
    }

    private static func host(of url: String) -> String {
        let rest = url.split(separator: "/", omittingEmptySubsequences: true).dropFirst().first
        return rest?.split(separator: "@").last.map(String.init) ?? "?"
    }
}

/// Something to tell.
package struct Notice: Sendable, Hashable, Codable {
    /// When people are told.
    package enum Kind: String, Sendable, Hashable, Codable {
        /// The day is about to begin.
        case starting
        /// A gate waits for answers.
        case gate
        /// An experiment was aborted, or something leaked.
        case aborted
        /// The day has ended.
        case ended
    }

    /// When.
    package var kind: Kind
    /// The GameDay's title.
    package var gameDay: String
    /// The day's name.
    package var id: String
    /// What happened, in a few lines of plain text; chat services show it.
    package var text: String
    /// Seconds since 1970, UTC.
    package var at: Double

    /// Makes a notice.
    package init(kind: Kind, gameDay: String, id: String, text: String, at: Double) {
        self.kind = kind
        self.gameDay = gameDay
        self.id = id
        self.text = text
        self.at = at
    }
}
