// `notify.webhook "https://…"` and its like: who is told of a GameDay.

import ChaosGameDay
import ChaosModel
import LuaBridge

/// Builds notifiers.
enum NotifyBuilder {
    /// What scripts hold.
    static let objects = LuaObjectType<Notifier>("notifier").description { $0.name }

    /// One builder.
    struct Kind: Sendable {
        let path: String
        let help: String
        let set: ParameterSet
        /// Whether a text alone stands for its first option.
        var takesText = false
        let make: @Sendable (LuaCall) throws(DefinitionError) -> Notifier
    }

    /// The builders.
    static let all = [
        Kind(
            path: "notify.webhook",
            help: "Posts a JSON object, whose text chat services show.",
            set: NotifyOptions.webhook,
            takesText: true,
            make: webhook
        ),
        Kind(
            path: "notify.email",
            help: "Sends an email by way of an SMTP server.",
            set: NotifyOptions.email,
            make: email
        ),
        Kind(
            path: "notify.command",
            help: "Runs a program with the JSON object on its standard input.",
            set: NotifyOptions.command,
            make: command
        ),
    ]

    /// Makes a notifier from a call.
    static func build(_ kind: Kind, _ call: LuaCall) throws(DefinitionError) -> LuaValue {
        .object(objects.make(try kind.make(call)))
    }

    /// A text alone is the address.
    private static func webhook(_ call: LuaCall) throws(DefinitionError) -> Notifier {
        let options: Parameters
        if let url = call[1].string, call.arguments.count == 1 {
            options = try NotifyOptions.webhook.validate(["url": .string(url)], at: call.place)
        } else {
            options = try parameters(
                call,
                NotifyOptions.webhook,
                such: "notify.webhook \"https://…\""
            )
        }
        let url = try options.value(NotifyOptions.url)
        guard url.hasPrefix("https://") || url.hasPrefix("http://") else {
            throw options.error(
                "url must begin with https:// or http://, got \"\(url.escapedForDisplay)\""
            )
        }
        return .webhook(url: url, headers: options[NotifyOptions.headers] ?? [:])
    }

    private static func email(_ call: LuaCall) throws(DefinitionError) -> Notifier {
        let spelling =
            "notify.email { to = \"sre@example.org\", via = \"smtps://mail.example.org\" }"
        let options = try parameters(call, NotifyOptions.email, such: spelling)
        let via = try options.value(NotifyOptions.via)
        guard via.hasPrefix("smtps://") || via.hasPrefix("smtp://") else {
            throw options.error(
                "via must begin with smtps:// or smtp://, got \"\(via.escapedForDisplay)\""
            )
        }
        let user = options[NotifyOptions.user]
        guard (user == nil) == (options[NotifyOptions.password] == nil) else {
            throw options.error("user and password go together: give both or none")
        }
        return .email(
            Notifier.Email(
                to: try options.value(NotifyOptions.to),
                from: try options.value(NotifyOptions.from),
                via: via,
                user: user,
                password: options[NotifyOptions.password],
                caFile: options[NotifyOptions.caFile],
                allowsPlain: try options.value(NotifyOptions.plain)
            )
        )
    }

    private static func command(_ call: LuaCall) throws(DefinitionError) -> Notifier {
        let options = try parameters(
            call,
            NotifyOptions.command,
            such: "notify.command { run = { \"…\" } }"
        )
        return .command(try options.value(NotifyOptions.run))
    }

    private static func parameters(
        _ call: LuaCall,
        _ set: ParameterSet,
        such spelling: String
    ) throws(DefinitionError) -> Parameters {
        let options = try OptionTable(try call.options(such: spelling), of: set, at: call.place)
        return try set.validate(options.plain, at: call.place)
    }
}
