// What the builder of metrics accepts, refuses, and says. The texts are pinned: users read them.

import ChaosModel
import ChaosSteadyState
import Testing

@Suite
struct `Metric definitions` {
    private let catalogue = MetricCatalogue()
    private let here = SourceLocation(file: "shop.lua", line: 7)

    private func define(
        _ source: String,
        _ options: [String: ParameterValue],
        name: String = "m",
        target: TargetSelector? = nil
    ) throws(DefinitionError) -> MetricDefinition {
        try catalogue.definition(
            name: name,
            source: source,
            options: options,
            target: target,
            location: here
        )
    }

    private func refusal(
        _ source: String,
        _ options: [String: ParameterValue],
        name: String = "m",
        target: TargetSelector? = nil
    ) -> String {
        do throws(DefinitionError) {
            return "accepted: \(try define(source, options, name: name, target: target))"
        } catch {
            return "\(error)"
        }
    }

    private func http(_ more: [String: ParameterValue]) -> [String: ParameterValue] {
        more.merging(["url": "http://127.0.0.1:1/"]) { given, _ in given }
    }

    @Test
    func `the catalogue has the seven sources with distinct options`() {
        let names = catalogue.descriptors.map(\.name)
        #expect(names == ["http", "tcp", "prometheus", "scrape", "process", "command", "lua"])
        for descriptor in catalogue.descriptors {
            let options = descriptor.parameterSet.parameters.map(\.name)
            #expect(Set(options).count == options.count, "\(descriptor.name)")
            #expect(catalogue[descriptor.name]?.summary == descriptor.summary)
        }
    }

    @Test
    func `every default is accepted by its own option`() throws {
        for descriptor in catalogue.descriptors {
            for parameter in descriptor.parameterSet.parameters {
                guard let fallback = parameter.fallback else { continue }
                try parameter.check(fallback)
            }
        }
    }

    @Test
    func `an http metric is filled in`() throws {
        let metric = try define(
            "http",
            http([
                "measure": "p99", "below": "300ms", "abort_above": "2s", "failures": 3,
                "for_at_least": "5s", "no_data": "abort", "timeout": "500ms", "rate": "20/s",
            ])
        )
        #expect(metric.unit == .seconds)
        #expect(metric.healthy == .below(0.3))
        #expect(metric.tolerated == .between(-.infinity, 2))
        #expect(metric.failures == 3)
        #expect(metric.forAtLeastMs == 5000)
        #expect(metric.noData == .abort)
        #expect(metric.lagMs == 550)
        #expect(metric.location == here)
        #expect(metric.options["below"] == "300ms")
    }

    @Test
    func `the defaults are one failure at once and no data is unhealthy`() throws {
        let metric = try define("http", http([:]))
        #expect(metric.unit == .share)
        #expect(metric.healthy == nil)
        #expect(metric.tolerated == nil)
        #expect(metric.failures == 1)
        #expect(metric.forAtLeastMs == 0)
        #expect(metric.noData == .unhealthy)
        #expect(metric.lagMs == 1200)
    }

    @Test
    func `abort thresholds tolerate the threshold itself`() throws {
        let metric = try define("http", http(["abort_above": "0%"]))
        #expect(metric.tolerated?.admits(0) == true)
        #expect(metric.tolerated?.admits(0.001) == false)
        #expect(metric.tolerated?.spelled(in: .share) == "at most 0%")
        let low = try define("http", http(["measure": "rate", "abort_below": "2/s"]))
        #expect(low.tolerated?.admits(2) == true)
        #expect(low.tolerated?.admits(1.9) == false)
        #expect(low.tolerated?.spelled(in: .perSecond) == "at least 2/s")
    }

    @Test
    func `prometheus declares its scrape interval as lag`() throws {
        let options: [String: ParameterValue] = ["server": "http://p:9090", "query": "up"]
        #expect(try define("prometheus", options).lagMs == 15_000)
        let faster = options.merging(["scrape_interval": "1s", "below": "300ms"]) { $1 }
        let metric = try define("prometheus", faster)
        #expect(metric.lagMs == 1000)
        #expect(metric.healthy == .below(0.3))
        #expect(metric.unit == .number)
    }

    @Test(
        arguments: [
            (["bellow": "1%"], "unknown option \"bellow\"; did you mean \"below\"?"),
            (
                ["below": 5],
                "below needs a unit: write \"5%\", got the bare number 5 (the measure is error_rate)"
            ),
            (
                ["below": "300ms"],
                "below must be a percentage such as \"5%\", got \"300ms\" (the measure is error_rate)"
            ),
            (["timeout": 5], "timeout needs a unit: write \"5s\", got the bare number 5"),
            (
                ["below": "1%", "above": "0%"],
                "below and above exclude each other: write between = { low, high }, both included"
            ),
            (
                ["below": "1%", "equals": "0%"],
                "below and equals exclude each other: give one of them"
            ),
            (["between": ["1%"]], "between must be a list of 2 values, got { \"1%\" }"),
            (
                ["between": ["5%", "1%"]],
                "between must name the lower value first, got { \"5%\", \"1%\" }"
            ),
            (
                ["abort_above": "1%", "abort_below": "5%"],
                "abort_below must not be more than abort_above, got abort_below = \"5%\" and "
                    + "abort_above = \"1%\""
            ),
            (["one_of": "1%"], "one_of must be a list of 1 to 64 values, got \"1%\""),
            (["failures": 0], "failures must be between 1 and 1000, got 0"),
            (
                ["no_data": "ok"],
                "no_data must be one of \"unhealthy\", \"healthy\", \"ignore\", \"abort\", got \"ok\""
            ),
            (["rate": "5000/s"], "rate must be between 1/h and 1000/s, got \"5000/s\""),
            (["rate": 5], "rate needs a unit: write \"5/s\", got the bare number 5"),
            (["window": "10ms"], "window must be between 1s and 10m, got \"10ms\""),
            (["expect_status": [200, 20]], "expect_status must be between 100 and 599, got 20"),
            (["method": "GET /"], "method must be a word such as \"GET\", got \"GET /\""),
            (
                ["headers": ["X": "a\r\nY: b"]],
                "headers has control characters in the value of \"X\""
            ),
            (
                ["url": "ftp://x/"],
                "url must be an http or https URL such as \"http://10.9.0.2:8080/health\", "
                    + "got \"ftp://x/\""
            ),
            (
                ["url": "http://user:secret@x/"],
                "url must not carry credentials, got \"http://…@x/\""
            ),
        ] as [([String: ParameterValue], String)]
    )
    func `an http metric is refused with the reason`(
        options: [String: ParameterValue],
        text: String
    ) {
        #expect(refusal("http", http(options)) == "metric.http: \(text) (shop.lua:7)")
    }

    @Test
    func `a missing option is refused with its spelling`() {
        #expect(
            refusal("http", [:])
                == "metric.http: url is missing: write url = \"http://10.9.0.2:8080/health\" "
                + "(shop.lua:7)"
        )
        #expect(
            refusal("tcp", ["address": "10.9.0.3"])
                == "metric.tcp: address needs a port: write \"10.9.0.3:5432\" (shop.lua:7)"
        )
        #expect(
            refusal("tcp", ["address": "10.9.0.0/24"]).contains("address needs a port")
        )
    }

    @Test
    func `window belongs to the probes`() {
        #expect(
            refusal("lua", ["window": "10s"])
                == "metric.lua: window is for metrics that compute over a span; a lua metric is read "
                + "at each sample (shop.lua:7)"
        )
    }

    @Test
    func `an unknown source is refused with the nearest`() {
        #expect(
            refusal("promtheus", [:])
                == "metric: unknown metric source \"promtheus\"; did you mean \"prometheus\"? "
                + "(shop.lua:7)"
        )
    }

    @Test
    func `a command is a list and not a shell line`() {
        #expect(
            refusal("command", ["run": "redis-cli dbsize"])
                == "metric.command: run is a list, and no shell is between: write run = "
                + "{ \"redis-cli\", \"dbsize\" }, got \"redis-cli dbsize\" (shop.lua:7)"
        )
    }

    @Test
    func `a process metric takes a process target and others none`() throws {
        let nginx = TargetSelector(kind: .process, options: ["name": "nginx"])
        let metric = try define("process", ["measure": "alive", "equals": 2], target: nginx)
        #expect(metric.healthy == .equals(2))
        #expect(metric.target == nginx)
        #expect(refusal("process", [:]).contains("target is missing: write target = "))
        #expect(refusal("lua", [:], target: nginx).contains("takes no target"))
        let host = TargetSelector(kind: .host, options: [:])
        #expect(refusal("process", [:], target: host).contains("must be a target.process"))
        let every = TargetSelector(kind: .process, options: [:])
        #expect(refusal("process", [:], target: every).contains("selects every process"))
    }

    @Test(arguments: ["p99", "error_rate", "p99.9", "größe", "_x-1"])
    func `names that conditions can read are accepted`(name: String) throws {
        _ = try define("lua", [:], name: name)
        let condition = try Condition(parsing: "\(name) > 1")
        #expect(condition.metrics == [name])
    }

    @Test(arguments: ["", "9p", "a b", "a>b", "and", "a\n", String(repeating: "x", count: 65)])
    func `names that conditions cannot read are refused`(name: String) {
        #expect(refusal("lua", [:], name: name).contains("the name of a metric must be"))
    }

    @Test
    func `prometheus refuses half of its credentials`() {
        let options: [String: ParameterValue] = [
            "server": "http://p:9090", "query": "up", "username": "me",
        ]
        #expect(
            refusal("prometheus", options)
                == "metric.prometheus: credentials are username and password, or bearer_token; "
                + "got only username (shop.lua:7)"
        )
    }

    @Test
    func `secrets are masked for records`() throws {
        let metric = try define(
            "prometheus",
            [
                "server": "http://p:9090", "query": "up", "bearer_token": "t0ken",
                "headers": ["X-Scope-OrgID": "shop"],
            ]
        )
        let line = try WireJSON.line(metric.redacted)
        #expect(!line.contains("t0ken") && !line.contains("shop\"}"))
        #expect(line.contains("X-Scope-OrgID") && line.contains("http://p:9090"))
        #expect(metric.options["bearer_token"] == "t0ken")
    }
}
