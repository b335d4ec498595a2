// Parts of a made-up machine: what a test lists, and what a selector must find.

import ChaosModel
import ChaosSimulation

extension SimulatedWorld {
    /// The files of a control group of version 2.
    private static let groupFiles = [
        "cpu.max": "max 100000\n", "cpu.stat": "usage_usec 5\nnr_periods 2\nnr_throttled 1\n",
        "memory.max": "\(roomyMemory)\n", "memory.current": "1048576\n",
        "memory.events": "max 0\noom_kill 0\n", "pids.max": "100\n", "pids.current": "3\n",
        "pids.events": "max 0\n", "io.max": "254:16 rbps=max wbps=max\n",
    ]

    /// Adds processes of one name, in a control group of their own.
    mutating func addProcesses(
        _ name: String,
        count: Int,
        isSupervised: Bool = false,
        port: Int? = nil,
        command: String? = nil,
        group: String? = nil,
        userID: UInt32 = 0,
        pid: Int32? = nil
    ) {
        let path = group ?? "/\(name)"
        if groups[path] == nil { addGroup(path, files: Self.groupFiles) }
        let words = command?.split(separator: " ").map(String.init)
        if let port { addListener(port) }
        for number in 0..<count {
            add(
                pid: number == 0 ? pid : nil,
                name: name,
                arguments: words ?? ["/usr/bin/\(name)"],
                userID: userID,
                group: path,
                ports: port.map { [$0] } ?? [],
                isSupervised: isSupervised
            )
        }
    }

    /// Adds the processes of a unit of systemd.
    mutating func addUnit(_ name: String, count: Int, isSupervised: Bool) {
        let unit = name.contains(".") ? name : "\(name).service"
        let stem = unit.split(separator: ".").first.map(String.init) ?? name
        addProcesses(
            stem,
            count: count,
            isSupervised: isSupervised,
            group: "/system.slice/\(unit)"
        )
    }

    /// Adds containers, each with a process and a namespace.
    mutating func addContainers(
        _ name: String,
        count: Int,
        image: String?,
        labels: [String: String]
    ) {
        for number in 0..<count {
            let place = containers.count + 1
            let hex = String(0xc0de_0000 + place, radix: 16)
            addContainer(
                count == 1 ? name : "\(name)-\(number + 1)",
                id: String(repeating: hex, count: 8),
                image: image ?? "docker.io/library/\(name):1",
                labels: labels,
                namespace: UInt64(9000 + place)
            )
        }
    }

    /// Adds a network namespace.
    mutating func addNamespace(_ name: String) {
        guard namespaces[name] == nil else { return }
        namespaces[name] = UInt64(7001 + namespaces.count)
    }

    /// Adds so many of what a selector matches.
    mutating func add(_ count: Int, matching target: TargetSelector) {
        let options = target.options
        switch target.kind {
        case .host: break
        case .netns: for name in options["name"]?.texts ?? [] { addNamespace(name) }
        case .process: addProcesses(matching: options, count: count)
        case .container:
            let labels = (options["label"]?.texts ?? []).map { label in
                label.split(separator: "=", maxSplits: 1).map(String.init)
            }
            for name in options["name"]?.texts ?? ["container"] {
                addContainers(
                    name.concrete,
                    count: count,
                    image: options["image"]?.texts.first,
                    labels: Dictionary(
                        labels.map { ($0[0], $0.count > 1 ? $0[1] : "") },
                        uniquingKeysWith: { $1 }
                    )
                )
            }
        case .systemd:
            for name in options["unit"]?.texts ?? [] {
                let isTemplate = name.hasSuffix("@") || name.contains("*")
                for number in 1...(isTemplate ? count : 1) {
                    let instance = isTemplate ? "\(number)" : ""
                    addUnit(
                        name.replacing("*", with: instance)
                            + (name.hasSuffix("@") ? instance : ""),
                        count: 1,
                        isSupervised: true
                    )
                }
            }
        }
    }

    /// A process is what each of the criteria says; a supervisor starts it again.
    private mutating func addProcesses(matching options: [String: ParameterValue], count: Int) {
        let program = options["exe"]?.texts.first
        let words = options["command"]?.texts.first
        let path = program ?? words?.split(separator: " ").first.map(String.init) ?? "process"
        let file = path.split(separator: "/").last.map(String.init) ?? "process"
        let name = options["name"]?.texts.first ?? file
        let group = options["cgroup"]?.texts.first
        if let pids = options["pid"], case .list(let list) = pids {
            for pid in list {
                addProcesses(name, count: 1, isSupervised: true, pid: pid.whole.map(Int32.init))
            }
            return
        }
        addProcesses(
            name,
            count: count,
            isSupervised: true,
            port: options["port"]?.whole,
            command: words.map { "\(program ?? "/usr/bin/\(name)") \($0)" } ?? program,
            group: group,
            pid: options["pid"]?.whole.map(Int32.init)
        )
    }

    /// Mounts a file system of its own where a fault of the disk is aimed at.
    mutating func addDisk(of spec: FaultSpec) {
        if spec.fault.hasPrefix("disk.") { disks.formUnion(spec.options["path"]?.texts ?? []) }
    }

    /// Has somebody listen on a port, in every namespace: a made-up machine does not say who is where.
    private mutating func addListener(_ port: Int) {
        guard let any = NetworkAddress("0.0.0.0") else { return }
        let end = SocketEnd(any, port: port)
        if !requestSurvey.listeners.contains(end) { requestSurvey.listeners.append(end) }
    }

    /// Has somebody listen where a fault of requests is to find its port.
    mutating func addService(of spec: FaultSpec) {
        let isOfRequests = spec.fault.hasPrefix("http.") || spec.fault.hasPrefix("grpc.")
        guard isOfRequests, spec.options["port"] == nil, requestSurvey.listeners.isEmpty else {
            return
        }
        addListener(8080)
    }

    /// Makes the names that a fault is aimed at resolve.
    mutating func addHosts(of spec: FaultSpec) {
        for option in ["to", "from", "exclude"] {
            for text in spec.options[option]?.texts ?? [] {
                let name = text.split(separator: ":").first.map(String.init) ?? text
                guard name.first?.isLetter == true, hosts[name] == nil,
                    let address = NetworkAddress("10.99.0.\(hosts.count + 1)")
                else { continue }
                hosts[name] = [address]
            }
        }
    }
}

extension TargetSelector {
    /// What must match, without how many of the matches are meant.
    var withoutNumbers: TargetSelector {
        var selector = self
        selector.location = nil
        for option in ["count", "percent", "at_least", "if_absent", "except"] {
            selector.options[option] = nil
        }
        return selector
    }

    /// How many matches a made-up machine has: as many as are asked for, and some of which a share is a whole number.
    var enough: Int {
        max(4, options["at_least"]?.whole ?? 0, options["count"]?.whole ?? 0)
    }
}

extension ParameterValue {
    /// The text, or the texts of a list.
    fileprivate var texts: [String] {
        switch self {
        case .string(let text): [text]
        case .list(let items): items.flatMap(\.texts)
        case .number, .boolean, .table: []
        }
    }

    /// A whole number.
    fileprivate var whole: Int? {
        if case .number(let number) = self { Int(exactly: number) } else { nil }
    }
}

extension String {
    /// A name that a pattern matches.
    fileprivate var concrete: String {
        replacing("*", with: "1").replacing("?", with: "1")
    }
}
