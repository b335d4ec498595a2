// Parameters, variables and secrets, the same in each language.

import ChaosModel
import ChaosScript
import TestSupport
import Testing

@Suite
struct `What definitions get from outside` {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private static let lua = """
        local p = params {
          hold  = { type = "duration", default = "1s", help = "How long." },
          count = { type = "integer", default = 2, choices = { 1, 2, 4 } },
        }
        experiment "x" {
          owner = env("MQ_OWNER", "nobody"),
          faults = { fault.noop { target = target.host {}, duration = p.hold } },
          duration = "5s",
        }
        """
    private static let yaml = """
        name: x
        owner: { env: MQ_OWNER, default: nobody }
        params:
          hold: { type: duration, default: 1s, help: How long. }
          count: { type: integer, default: 2, choices: [1, 2, 4] }
        faults:
          - noop: { target: { host: {} }, duration: { param: hold } }
        duration: 5s
        """
    private static let json = """
        { "name": "x", "owner": { "env": "MQ_OWNER", "default": "nobody" },
          "params": {
            "hold": { "type": "duration", "default": "1s", "help": "How long." },
            "count": { "type": "integer", "default": 2, "choices": [1, 2, 4] } },
          "faults": [ { "noop": { "target": { "host": {} }, "duration": { "param": "hold" } } } ],
          "duration": "5s" }
        """

    static let languages = [("x.lua", lua), ("x.yaml", yaml), ("x.json", json)]

    @Test(arguments: languages)
    func `a parameter has its default, and --param sets it`(_ file: String, _ text: String)
        async throws
    {
        let plain = try await folder.load(text, as: file)[0].definition
        #expect(plain.faults[0].options == ["duration": "1s"])
        #expect(plain.parameters == ["hold": "1s", "count": 2])
        #expect(plain.owner == "nobody")
        let inputs = DefinitionInputs(arguments: ["hold": "3s", "count": "4"]) { name in
            name == "MQ_OWNER" ? "shop" : nil
        }
        let set = try await folder.load(text, as: file, inputs: inputs)[0].definition
        #expect(set.faults[0].options == ["duration": "3s"])
        #expect(set.parameters == ["hold": "3s", "count": 4])
        #expect(set.owner == "shop")
    }

    @Test(arguments: languages)
    func `what is not declared or of another type is refused`(_ file: String, _ text: String) async
    {
        func said(_ name: String, _ value: String) async -> String {
            await folder.refusal(text, as: file, inputs: DefinitionInputs(arguments: [name: value]))
        }
        let unknown = await said("hol", "3s")
        #expect(unknown.hasPrefix("--param: "), "\(unknown)")
        #expect(unknown.hasSuffix("has no parameter \"hol\"; did you mean \"hold\"?"), "\(unknown)")
        let bare = await said("hold", "3")
        #expect(bare.hasPrefix("--param: hold must be a duration such as"), "\(bare)")
        let choice = await said("count", "3")
        #expect(choice.hasPrefix("--param: count must be one of 1, 2, 4, got 3"), "\(choice)")
        let type = await said("count", "many")
        #expect(type.hasPrefix("--param: count must be a whole number"), "\(type)")
    }

    @Test(arguments: languages)
    func `a parameter without a default must be given`(_ file: String, _ text: String) async {
        let bare = text.replacing(", default = \"1s\"", with: "").replacing(
            ", default: 1s",
            with: ""
        )
        .replacing(", \"default\": \"1s\"", with: "")
        let said = await folder.refusal(bare, as: file)
        #expect(said.hasPrefix("params: hold has no default: give --param hold=VALUE"), "\(said)")
    }

    private static let inputs: @Sendable (Redactor) -> DefinitionInputs = { redactor in
        DefinitionInputs(
            variable: { ["MQ_TOKEN": "hunter2 \"and\" more", "MQ_SHORT": "abc"][$0] },
            redactor: redactor
        )
    }

    @Test
    func `a secret goes to a metric, and is masked wherever it turns up`() async throws {
        let redactor = Redactor()
        let inputs = Self.inputs(redactor)
        let lua = """
            local token = secret "MQ_TOKEN"
            experiment "x" {
              steady_state = { metrics = { m = metric.http {
                url = "http://127.0.0.1:1/", headers = { Authorization = token }, below = "1%" } } },
              faults = { fault.noop { target = target.host {} } }, duration = "1s",
            }
            """
        let yaml = """
            name: x
            steady_state:
              metrics:
                m:
                  http:
                    url: http://127.0.0.1:1/
                    headers: { Authorization: { secret: MQ_TOKEN } }
                    below: 1%
            faults: [ noop: { target: { host: {} } } ]
            duration: 1s
            """
        for (name, text) in [("x.lua", lua), ("x.yaml", yaml)] {
            let loaded = try await folder.load(text, as: name, inputs: inputs)[0]
            let metric = loaded.definition.steadyState.metrics[0]
            #expect(metric.options["headers"] == ["Authorization": "hunter2 \"and\" more"])
        }
        #expect(redactor.mask("a hunter2 \"and\" more b") == "a [secret MQ_TOKEN] b")
        #expect(redactor.mask(#"{"x":"hunter2 \"and\" more"}"#) == #"{"x":"[secret MQ_TOKEN]"}"#)
        #expect(redactor.mask("q=hunter2%20%22and%22%20more&r=1") == "q=[secret MQ_TOKEN]&r=1")
        #expect(redactor.mask("cut hunter2 \"an…") == "cut [secret MQ_TOKEN]…")
        #expect(redactor.mask("hunter1 stays") == "hunter1 stays")
    }

    @Test
    func `a fault takes no secret, since the journal keeps what a fault is asked`() async {
        let inputs = Self.inputs(Redactor())
        let lua = """
            experiment "x" {
              faults = { fault.process.pause { target = target.process { command = secret "MQ_TOKEN" } } },
              duration = "1s",
            }
            """
        let said = await folder.refusal(lua, inputs: inputs)
        #expect(
            said
                == "process.pause: target.command must not be a secret, since the agent's journal keeps it; "
                + "secrets are for metrics (x.lua:2)"
        )
    }

    @Test
    func `a variable that is not set, and a secret too short to mask, are refused`() async {
        let inputs = Self.inputs(Redactor())
        let unset = await folder.refusal("local x = secret \"MQ_UNSET\"", inputs: inputs)
        #expect(
            unset == "secret: the variable MQ_UNSET is not set: export it before the run (x.lua:1)"
        )
        let short = await folder.refusal("local x = secret \"MQ_SHORT\"", inputs: inputs)
        #expect(short.contains("a secret needs at least 4"), "\(short)")
        #expect(!short.contains("abc"))
        let name = await folder.refusal("local x = env \"A B\"", inputs: inputs)
        #expect(
            name
                == "env: expects the name of a variable such as \"API_TOKEN\", got \"A B\" (x.lua:1)"
        )
    }
}
