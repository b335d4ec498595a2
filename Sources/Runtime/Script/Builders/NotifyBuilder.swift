// `notify.webhook "https://…"` and its like: who is told of a GameDay.

import ChaosGameDay
import ChaosModel
import LuaBridge

/// Builds notifiers.
enum NotifyBuilder {
    /// What scripts hold.
    static let objects = LuaObjectType<Notifier>("notifier").description { $0.name }

    /// The builders by their names.
    static let all:
        [(path: String, build: @Sendable (LuaCall) throws(DefinitionError) -> LuaValue)] = [
            (
                "notify.webhook",
                { call throws(DefinitionError) in .object(objects.make(try webhook(call))) }
            ),
            (
                "notify.email",
                { call throws(DefinitionError) in .object(objects.make(try email(call))) }
            ),
            (
                "notify.command",
                { call throws(DefinitionError) in .object(objects.make(try command(call))) }
            ),
        ]

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
