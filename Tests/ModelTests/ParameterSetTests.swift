import ChaosModel
import Testing

@Suite
struct `Sets of options` {
    private static let delay = Parameter(
        required: "delay",
        ParameterKind<Duration>.duration(to: .seconds(60)),
        help: "How late."
    )
    private static let share = Parameter(
        "share",
        ParameterKind<Double>.percent,
        default: "100%",
        help: "How much."
    )
    private static let ports = Parameter(
        "exclude_ports",
        ParameterKind<[Int]>.list(of: .port),
        help: "Which not."
    )
    private static let mode = Parameter(
        "mode",
        ParameterKind<String>.choice(["fast", "slow"]),
        help: "How."
    )

    private let set = ParameterSet(
        of: "network.latency",
        [delay.erased, share.erased, ports.erased, mode.erased]
    )
    private let here = SourceLocation(file: "x.lua", line: 14)

    private func refusal(_ given: [String: ParameterValue]) -> String {
        do throws(DefinitionError) {
            return "accepted: \(try set.validate(given, at: here).values)"
        } catch {
            return "\(error)"
        }
    }

    @Test
    func `values are typed and defaults filled in`() throws {
        let parameters = try set.validate(["delay": "250ms", "exclude_ports": 22])
        #expect(try parameters.value(Self.delay) == .milliseconds(250))
        #expect(try parameters.value(Self.share) == 1)
        #expect(parameters[Self.ports] == [22])
        #expect(parameters[Self.mode] == nil)
        #expect(parameters.given == ["delay", "exclude_ports"])
    }

    @Test(
        arguments: [
            (["delay": 250], "delay needs a unit: write \"250ms\", got the bare number 250"),
            (["delay": 25], "delay needs a unit: write \"25s\", got the bare number 25"),
            (["delay": "250"], "delay must be a duration such as \"250ms\" or \"2m\", got \"250\""),
            (["delay": "2m"], "delay must be between 0s and 1m, got \"2m\""),
            (["delay": "-1s"], "delay must be between 0s and 1m, got \"-1s\""),
            (["delay": true], "delay must be a duration such as \"250ms\" or \"2m\", got true"),
            ([:], "delay is missing: write delay = \"250ms\""),
            (["dealy": "1s"], "unknown option \"dealy\"; did you mean \"delay\"?"),
            (
                ["zzzzzzzzzz": 1],
                "unknown option \"zzzzzzzzzz\"; known: delay, exclude_ports, mode, share"
            ),
            (["delay": "1s", "share": "150%"], "share must be between 0% and 100%, got \"150%\""),
            (
                ["delay": "1s", "share": 10],
                "share needs a unit: write \"10%\", got the bare number 10"
            ),
            (
                ["delay": "1s", "exclude_ports": [22, 70_000]],
                "exclude_ports must be between 1 and 65535, got 70000"
            ),
            (
                ["delay": "1s", "exclude_ports": []],
                "exclude_ports must have 1 to 256 entries, got 0"
            ),
            (
                ["delay": "1s", "exclude_ports": 22.5],
                "exclude_ports must be a whole number between 1 and 65535, got 22.5"
            ),
            (
                ["delay": "1s", "mode": "warp"],
                "mode must be one of \"fast\", \"slow\", got \"warp\""
            ),
            (["de\nlay": "1s"], "unknown option \"de\\nlay\"; did you mean \"delay\"?"),
        ] as [([String: ParameterValue], String)]
    )
    func `what is wrong is said with the value and the place`(
        given: [String: ParameterValue],
        text: String
    ) {
        #expect(refusal(given) == "network.latency: \(text) (x.lua:14)")
    }

    @Test
    func `a selector that selects every process is refused`() {
        let empty = TargetSelector(kind: .process, options: ["count": 1], location: here)
        #expect(throws: DefinitionError.self) { try empty.validated() }
        let both = TargetSelector(
            kind: .process,
            options: ["name": "a", "count": 1, "percent": "5%"]
        )
        #expect(throws: DefinitionError.self) { try both.validated() }
    }
}
