---@meta moonquake
-- Types of the Moonquake primitives, for editors. Generated from the descriptors of targets, metrics and
-- faults; do not edit: MOONQUAKE_UPDATE=1 swift test --filter ScriptTests writes it again.
-- luacheck: ignore

---@class moonquake.Target A target selector.

---@class moonquake.Metric A metric; it gets its name where it is put.

---@class moonquake.Fault A fault; `inject` makes it.

---@class moonquake.SteadyState What is watched.

---@class moonquake.Figures The answer of `check_metric`; each value is a field of its own, too.
---@field held? boolean Whether the condition held; nil when a value was missing.
---@field values table<string, number> The values in base units: seconds, bytes, shares, events a second.
---@field [string] number

---@class moonquake.Handle A fault in force; a `<close>` variable puts it back at the end of its scope.
---@field fault string The name of the fault.
---@field targets string[] What was hit.
local Handle = {}

---Puts the fault back.
function Handle:rollback() end

target = {}

---@class moonquake.target.host

---This host as a whole.
---@param options moonquake.target.host
---@return moonquake.Target
function target.host(options) end

---@class moonquake.target.netns
---@field name string|string[] Names as in `ip netns list`.
---@field count? integer Hit this many of the matches, chosen by the seed.
---@field percent? string Hit this share of the matches, rounded down, chosen by the seed.
---@field at_least? integer Hit at least this many even if a share rounds below it.
---@field except? string|string[] Leave out targets of these names.
---@field if_absent? "fail"|"ok" What to do when nothing matches: "fail", or "ok" to go on without this fault. Default: "fail".

---Network namespaces by name.
---@param options moonquake.target.netns
---@return moonquake.Target
function target.netns(options) end

---@class moonquake.target.process
---@field pid? integer|integer[] Process ids.
---@field name? string The program's name: the file name of the executable or of argv[0], whole, or the kernel's short name.
---@field command? string A part of the command line.
---@field exe? string The path of the executable.
---@field user? string The owner: a user name or a numeric id.
---@field port? integer A TCP or UDP port it listens on, IPv4 or IPv6, in the agent's network namespace.
---@field cgroup? string A control group, those below it included.
---@field count? integer Hit this many of the matches, chosen by the seed.
---@field percent? string Hit this share of the matches, rounded down, chosen by the seed.
---@field at_least? integer Hit at least this many even if a share rounds below it.
---@field except? string|string[] Leave out targets of these names.
---@field if_absent? "fail"|"ok" What to do when nothing matches: "fail", or "ok" to go on without this fault. Default: "fail".

---Processes by id, name, command line, executable, owner, listening port or control group.
---@param options moonquake.target.process
---@return moonquake.Target
function target.process(options) end

---@class moonquake.target.container
---@field name? string|string[] Names of containers; `*` and `?` stand for any text and any character.
---@field label? string|string[] Labels that it must have, all of them: `name=value`, or `name` for any value.
---@field image? string The image, with or without registry and tag; `*` and `?` as in names.
---@field id? string|string[] Ids of containers, or their first 6 characters and more.
---@field socket? string The engine's socket; without it $DOCKER_HOST, or Docker's and Podman's usual ones, all that are there.
---@field count? integer Hit this many of the matches, chosen by the seed.
---@field percent? string Hit this share of the matches, rounded down, chosen by the seed.
---@field at_least? integer Hit at least this many even if a share rounds below it.
---@field except? string|string[] Leave out targets of these names.
---@field if_absent? "fail"|"ok" What to do when nothing matches: "fail", or "ok" to go on without this fault. Default: "fail".

---Containers of Docker or Podman by name, label, image or id.
---@param options moonquake.target.container
---@return moonquake.Target
function target.container(options) end

---@class moonquake.target.systemd
---@field unit string|string[] Names of services, scopes or slices; `.service` may be left out; `*` and `?` as in file names; `worker@` stands for all instances of a template.
---@field count? integer Hit this many of the matches, chosen by the seed.
---@field percent? string Hit this share of the matches, rounded down, chosen by the seed.
---@field at_least? integer Hit at least this many even if a share rounds below it.
---@field except? string|string[] Leave out targets of these names.
---@field if_absent? "fail"|"ok" What to do when nothing matches: "fail", or "ok" to go on without this fault. Default: "fail".

---Units of systemd by name, through their control groups.
---@param options moonquake.target.systemd
---@return moonquake.Target
function target.systemd(options) end

metric = {}

---@class moonquake.metric.http
---@field url string The URL to ask; redirects are not followed.
---@field method? string The method of the request. Default: "GET".
---@field headers? table<string, string> Headers of the request.
---@field body? string The body of the request.
---@field expect_status? integer|integer[] The statuses of a good answer; 200 to 399 when left out.
---@field keep_alive? boolean Reuse connections. Off by default: a partition may spare open connections, and only a new one shows that nobody else gets in. Default: false.
---@field timeout? string How long an answer may take; later is an error, and counts with this latency. Default: "1s".
---@field rate? string How many requests to start, on schedule, whether or not earlier ones were answered. Default: "5/s".
---@field netns? string The network namespace to connect from; host names are still resolved on the host.
---@field window? string The span that a value is computed over; it slides. Default: "10s".
---@field measure? "error_rate"|"rate"|"mean"|"p50"|"p90"|"p95"|"p99"|"p99.9"|"max" What is measured. Default: "error_rate".
---@field below? string|number Healthy while the value is below this.
---@field above? string|number Healthy while the value is above this.
---@field equals? string|number Healthy while the value is this, up to a relative 1e-9.
---@field between? string|number|(string|number)[] Healthy from the first value to the second, both included.
---@field one_of? string|number|(string|number)[] Healthy while the value is one of these, each up to a relative 1e-9.
---@field abort_above? string|number Abort the run when the value is above this while faults are on.
---@field abort_below? string|number Abort the run when the value is below this while faults are on.
---@field failures? integer Count a violation only after this many samples in a row; also for the abort thresholds. Default: 1.
---@field for_at_least? string Count a violation only when it has lasted this long; also for the abort thresholds. Default: "0s".
---@field no_data? "unhealthy"|"healthy"|"ignore"|"abort" What it means when there is no value. Default: "unhealthy".

---Requests of our own to a URL: error rate, rate and latency over a sliding window.
---@param options moonquake.metric.http
---@return moonquake.Metric
function metric.http(options) end

---@class moonquake.metric.tcp
---@field address string The address or host name to connect to, with its port.
---@field timeout? string How long an answer may take; later is an error, and counts with this latency. Default: "1s".
---@field rate? string How many requests to start, on schedule, whether or not earlier ones were answered. Default: "5/s".
---@field netns? string The network namespace to connect from; host names are still resolved on the host.
---@field window? string The span that a value is computed over; it slides. Default: "10s".
---@field measure? "error_rate"|"rate"|"mean"|"p50"|"p90"|"p95"|"p99"|"p99.9"|"max" What is measured. Default: "error_rate".
---@field below? string|number Healthy while the value is below this.
---@field above? string|number Healthy while the value is above this.
---@field equals? string|number Healthy while the value is this, up to a relative 1e-9.
---@field between? string|number|(string|number)[] Healthy from the first value to the second, both included.
---@field one_of? string|number|(string|number)[] Healthy while the value is one of these, each up to a relative 1e-9.
---@field abort_above? string|number Abort the run when the value is above this while faults are on.
---@field abort_below? string|number Abort the run when the value is below this while faults are on.
---@field failures? integer Count a violation only after this many samples in a row; also for the abort thresholds. Default: 1.
---@field for_at_least? string Count a violation only when it has lasted this long; also for the abort thresholds. Default: "0s".
---@field no_data? "unhealthy"|"healthy"|"ignore"|"abort" What it means when there is no value. Default: "unhealthy".

---Connections of our own to an address: error rate, rate and time to connect.
---@param options moonquake.metric.tcp
---@return moonquake.Metric
function metric.tcp(options) end

---@class moonquake.metric.prometheus
---@field server string The URL of the server, with its path prefix where it has one.
---@field query string The query, sent as it is written; it must give a scalar or an instant vector.
---@field any? boolean With several series: judge the best one. Otherwise the worst, so that all must hold. Default: false.
---@field scrape_interval? string How often the server scrapes: how old a value may be when we see it. Default: "15s".
---@field timeout? string How long an answer may take; later is no data. Default: "5s".
---@field headers? table<string, string> Headers of the request, such as the tenant's.
---@field username? string The user of basic authentication.
---@field password? string The password of basic authentication.
---@field bearer_token? string The token of bearer authentication.
---@field below? string|number Healthy while the value is below this.
---@field above? string|number Healthy while the value is above this.
---@field equals? string|number Healthy while the value is this, up to a relative 1e-9.
---@field between? string|number|(string|number)[] Healthy from the first value to the second, both included.
---@field one_of? string|number|(string|number)[] Healthy while the value is one of these, each up to a relative 1e-9.
---@field abort_above? string|number Abort the run when the value is above this while faults are on.
---@field abort_below? string|number Abort the run when the value is below this while faults are on.
---@field failures? integer Count a violation only after this many samples in a row; also for the abort thresholds. Default: 1.
---@field for_at_least? string Count a violation only when it has lasted this long; also for the abort thresholds. Default: "0s".
---@field no_data? "unhealthy"|"healthy"|"ignore"|"abort" What it means when there is no value. Default: "unhealthy".

---The value of a PromQL query, asked of a Prometheus server at each sample.
---@param options moonquake.metric.prometheus
---@return moonquake.Metric
function metric.prometheus(options) end

---@class moonquake.metric.process
---@field target moonquake.Target What to measure.
---@field measure? "cpu"|"rss"|"alive"|"open_files" What is measured. Default: "cpu".
---@field below? string|number Healthy while the value is below this.
---@field above? string|number Healthy while the value is above this.
---@field equals? string|number Healthy while the value is this, up to a relative 1e-9.
---@field between? string|number|(string|number)[] Healthy from the first value to the second, both included.
---@field one_of? string|number|(string|number)[] Healthy while the value is one of these, each up to a relative 1e-9.
---@field abort_above? string|number Abort the run when the value is above this while faults are on.
---@field abort_below? string|number Abort the run when the value is below this while faults are on.
---@field failures? integer Count a violation only after this many samples in a row; also for the abort thresholds. Default: 1.
---@field for_at_least? string Count a violation only when it has lasted this long; also for the abort thresholds. Default: "0s".
---@field no_data? "unhealthy"|"healthy"|"ignore"|"abort" What it means when there is no value. Default: "unhealthy".

---What the matching processes use together, read from /proc.
---@param options moonquake.metric.process
---@return moonquake.Metric
function metric.process(options) end

---@class moonquake.metric.command
---@field run string|string[] The program and its arguments; no shell is between.
---@field timeout? string How long it may run; then it is killed with its children, and there is no data. Default: "5s".
---@field measure? "stdout_number"|"exit_status" What is measured. Default: "stdout_number".
---@field below? string|number Healthy while the value is below this.
---@field above? string|number Healthy while the value is above this.
---@field equals? string|number Healthy while the value is this, up to a relative 1e-9.
---@field between? string|number|(string|number)[] Healthy from the first value to the second, both included.
---@field one_of? string|number|(string|number)[] Healthy while the value is one of these, each up to a relative 1e-9.
---@field abort_above? string|number Abort the run when the value is above this while faults are on.
---@field abort_below? string|number Abort the run when the value is below this while faults are on.
---@field failures? integer Count a violation only after this many samples in a row; also for the abort thresholds. Default: 1.
---@field for_at_least? string Count a violation only when it has lasted this long; also for the abort thresholds. Default: "0s".
---@field no_data? "unhealthy"|"healthy"|"ignore"|"abort" What it means when there is no value. Default: "unhealthy".

---A program run at each sample: the number that it prints, or its exit status.
---@param options moonquake.metric.command
---@return moonquake.Metric
function metric.command(options) end

---@class moonquake.metric.lua
---@field [1] fun(): number?, string? The function.
---@field below? string|number Healthy while the value is below this.
---@field above? string|number Healthy while the value is above this.
---@field equals? string|number Healthy while the value is this, up to a relative 1e-9.
---@field between? string|number|(string|number)[] Healthy from the first value to the second, both included.
---@field one_of? string|number|(string|number)[] Healthy while the value is one of these, each up to a relative 1e-9.
---@field abort_above? string|number Abort the run when the value is above this while faults are on.
---@field abort_below? string|number Abort the run when the value is below this while faults are on.
---@field failures? integer Count a violation only after this many samples in a row; also for the abort thresholds. Default: 1.
---@field for_at_least? string Count a violation only when it has lasted this long; also for the abort thresholds. Default: "0s".
---@field no_data? "unhealthy"|"healthy"|"ignore"|"abort" What it means when there is no value. Default: "unhealthy".

---The number that a Lua function returns; nil is no data.
---@param options (fun(): number?, string?)|moonquake.metric.lua
---@return moonquake.Metric
function metric.lua(options) end

fault = {}
fault.network = {}
fault.process = {}
fault.cpu = {}
fault.memory = {}
fault.fd = {}
fault.pid = {}
fault.clock = {}

---@class moonquake.fault.network.latency
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field delay string How late packets are.
---@field jitter? string How far the delay varies around that, at most as far as the delay. Default: "0ms".
---@field correlation? string How far a packet's delay follows the one before. Default: "0%".
---@field distribution? "uniform"|"normal"|"pareto" How the delay varies: within the jitter (uniform), or with the jitter as its deviation. Default: "uniform".
---@field preserve_order? boolean Keep packets in order although their delays differ; jitter alone reorders them. Default: false.
---@field to? string|string[] Far ends: addresses, networks or host names (all their addresses), with a port or without.
---@field from? string|string[] Near ends: only packets of these addresses, with a port or without.
---@field port? integer|integer[] Ports of the far ends, TCP and UDP.
---@field protocol? "tcp"|"udp"|"icmp"|("tcp"|"udp"|"icmp")[] Protocols; without it all, ICMP included.
---@field direction? "both"|"egress"|"ingress" Packets to the far ends (egress), from them (ingress), or both. Default: "both".
---@field interface? string Only packets on this interface; without it all but the loopback.
---@field exclude? string|string[] Far ends to leave alone.
---@field exclude_ports? integer|integer[] Ports to leave alone, at either end, in both directions.
---@field resolve_every? string How often host names are looked up again while the fault is on; new addresses are hit too. Default: "5s".
---@field traffic? string The share of what matches that is hit. Default: "100%".
---@field traffic_by? "connection"|"packet" Whether that is a share of connections, each wholly in or out, or of packets. Default: "connection".
---@field engine? "auto"|"netem"|"nfqueue" What carries the fault; auto takes the best that works. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Delays packets between the target and the far ends named.
---@param options moonquake.fault.network.latency
---@return moonquake.Fault
function fault.network.latency(options) end

---@class moonquake.fault.network.loss
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field percent? string The share of packets that is lost, each by itself.
---@field correlation? string How far a packet follows the one before. Default: "0%".
---@field gilbert_elliott? string|string[] Bursts, instead of percent: the chances to turn bad and to turn good again, then the loss in bad times (100%) and in good times (0%).
---@field state? string|string[] Bursts by the 4-state model, instead of percent: p13, p31, p32, p23, p14.
---@field to? string|string[] Far ends: addresses, networks or host names (all their addresses), with a port or without.
---@field from? string|string[] Near ends: only packets of these addresses, with a port or without.
---@field port? integer|integer[] Ports of the far ends, TCP and UDP.
---@field protocol? "tcp"|"udp"|"icmp"|("tcp"|"udp"|"icmp")[] Protocols; without it all, ICMP included.
---@field direction? "both"|"egress"|"ingress" Packets to the far ends (egress), from them (ingress), or both. Default: "both".
---@field interface? string Only packets on this interface; without it all but the loopback.
---@field exclude? string|string[] Far ends to leave alone.
---@field exclude_ports? integer|integer[] Ports to leave alone, at either end, in both directions.
---@field resolve_every? string How often host names are looked up again while the fault is on; new addresses are hit too. Default: "5s".
---@field traffic? string The share of what matches that is hit. Default: "100%".
---@field traffic_by? "connection"|"packet" Whether that is a share of connections, each wholly in or out, or of packets. Default: "connection".
---@field engine? "auto"|"netem"|"nfqueue" What carries the fault; auto takes the best that works. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Loses packets between the target and the far ends named.
---@param options moonquake.fault.network.loss
---@return moonquake.Fault
function fault.network.loss(options) end

---@class moonquake.fault.network.duplicate
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field percent string The share of packets that it happens to.
---@field correlation? string How far a packet follows the one before. Default: "0%".
---@field to? string|string[] Far ends: addresses, networks or host names (all their addresses), with a port or without.
---@field from? string|string[] Near ends: only packets of these addresses, with a port or without.
---@field port? integer|integer[] Ports of the far ends, TCP and UDP.
---@field protocol? "tcp"|"udp"|"icmp"|("tcp"|"udp"|"icmp")[] Protocols; without it all, ICMP included.
---@field direction? "both"|"egress"|"ingress" Packets to the far ends (egress), from them (ingress), or both. Default: "both".
---@field interface? string Only packets on this interface; without it all but the loopback.
---@field exclude? string|string[] Far ends to leave alone.
---@field exclude_ports? integer|integer[] Ports to leave alone, at either end, in both directions.
---@field resolve_every? string How often host names are looked up again while the fault is on; new addresses are hit too. Default: "5s".
---@field traffic? string The share of what matches that is hit. Default: "100%".
---@field traffic_by? "connection"|"packet" Whether that is a share of connections, each wholly in or out, or of packets. Default: "connection".
---@field engine? "auto"|"netem"|"nfqueue" What carries the fault; auto takes the best that works. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Sends packets between the target and the far ends named twice.
---@param options moonquake.fault.network.duplicate
---@return moonquake.Fault
function fault.network.duplicate(options) end

---@class moonquake.fault.network.corrupt
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field percent string The share of packets that it happens to.
---@field correlation? string How far a packet follows the one before. Default: "0%".
---@field to? string|string[] Far ends: addresses, networks or host names (all their addresses), with a port or without.
---@field from? string|string[] Near ends: only packets of these addresses, with a port or without.
---@field port? integer|integer[] Ports of the far ends, TCP and UDP.
---@field protocol? "tcp"|"udp"|"icmp"|("tcp"|"udp"|"icmp")[] Protocols; without it all, ICMP included.
---@field direction? "both"|"egress"|"ingress" Packets to the far ends (egress), from them (ingress), or both. Default: "both".
---@field interface? string Only packets on this interface; without it all but the loopback.
---@field exclude? string|string[] Far ends to leave alone.
---@field exclude_ports? integer|integer[] Ports to leave alone, at either end, in both directions.
---@field resolve_every? string How often host names are looked up again while the fault is on; new addresses are hit too. Default: "5s".
---@field traffic? string The share of what matches that is hit. Default: "100%".
---@field traffic_by? "connection"|"packet" Whether that is a share of connections, each wholly in or out, or of packets. Default: "connection".
---@field engine? "auto"|"netem"|"nfqueue" What carries the fault; auto takes the best that works. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Flips a bit of packets between the target and the far ends named.
---@param options moonquake.fault.network.corrupt
---@return moonquake.Fault
function fault.network.corrupt(options) end

---@class moonquake.fault.network.reorder
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field percent string The share of packets that it happens to.
---@field correlation? string How far a packet follows the one before. Default: "0%".
---@field delay? string How long the packets wait that are overtaken. Default: "10ms".
---@field to? string|string[] Far ends: addresses, networks or host names (all their addresses), with a port or without.
---@field from? string|string[] Near ends: only packets of these addresses, with a port or without.
---@field port? integer|integer[] Ports of the far ends, TCP and UDP.
---@field protocol? "tcp"|"udp"|"icmp"|("tcp"|"udp"|"icmp")[] Protocols; without it all, ICMP included.
---@field direction? "both"|"egress"|"ingress" Packets to the far ends (egress), from them (ingress), or both. Default: "both".
---@field interface? string Only packets on this interface; without it all but the loopback.
---@field exclude? string|string[] Far ends to leave alone.
---@field exclude_ports? integer|integer[] Ports to leave alone, at either end, in both directions.
---@field resolve_every? string How often host names are looked up again while the fault is on; new addresses are hit too. Default: "5s".
---@field traffic? string The share of what matches that is hit. Default: "100%".
---@field traffic_by? "connection"|"packet" Whether that is a share of connections, each wholly in or out, or of packets. Default: "connection".
---@field engine? "auto"|"netem"|"nfqueue" What carries the fault; auto takes the best that works. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Lets packets between the target and the far ends named overtake others.
---@param options moonquake.fault.network.reorder
---@return moonquake.Fault
function fault.network.reorder(options) end

---@class moonquake.fault.network.bandwidth
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field rate string The most bits a second, in each direction.
---@field burst? string How much may go at once after a pause; without it what goes in 10ms, at least ten full packets.
---@field limit? string How much may wait before the rest is lost; without it what goes in 200ms, at least the burst.
---@field to? string|string[] Far ends: addresses, networks or host names (all their addresses), with a port or without.
---@field from? string|string[] Near ends: only packets of these addresses, with a port or without.
---@field port? integer|integer[] Ports of the far ends, TCP and UDP.
---@field protocol? "tcp"|"udp"|"icmp"|("tcp"|"udp"|"icmp")[] Protocols; without it all, ICMP included.
---@field direction? "both"|"egress"|"ingress" Packets to the far ends (egress), from them (ingress), or both. Default: "both".
---@field interface? string Only packets on this interface; without it all but the loopback.
---@field exclude? string|string[] Far ends to leave alone.
---@field exclude_ports? integer|integer[] Ports to leave alone, at either end, in both directions.
---@field resolve_every? string How often host names are looked up again while the fault is on; new addresses are hit too. Default: "5s".
---@field traffic? string The share of what matches that is hit. Default: "100%".
---@field traffic_by? "connection"|"packet" Whether that is a share of connections, each wholly in or out, or of packets. Default: "connection".
---@field engine? "auto"|"netem"|"nfqueue" What carries the fault; auto takes the best that works. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Limits the rate between the target and the far ends named.
---@param options moonquake.fault.network.bandwidth
---@return moonquake.Fault
function fault.network.bandwidth(options) end

---@class moonquake.fault.network.partition
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field to? string|string[] Far ends: addresses, networks or host names (all their addresses), with a port or without.
---@field from? string|string[] Near ends: only packets of these addresses, with a port or without.
---@field port? integer|integer[] Ports of the far ends, TCP and UDP.
---@field protocol? "tcp"|"udp"|"icmp"|("tcp"|"udp"|"icmp")[] Protocols; without it all, ICMP included.
---@field direction? "both"|"egress"|"ingress" Packets to the far ends (egress), from them (ingress), or both. Default: "both".
---@field interface? string Only packets on this interface; without it all but the loopback.
---@field exclude? string|string[] Far ends to leave alone.
---@field exclude_ports? integer|integer[] Ports to leave alone, at either end, in both directions.
---@field resolve_every? string How often host names are looked up again while the fault is on; new addresses are hit too. Default: "5s".
---@field action? "drop"|"reject"|"reset" What senders are told: nothing (drop), ICMP prohibited (reject), or a TCP reset (reset). Default: "drop".
---@field engine? "auto"|"nft"|"iptables" What carries the rules; auto takes the best that works. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Drops packets between the target and the far ends named, both ways or one.
---@param options moonquake.fault.network.partition
---@return moonquake.Fault
function fault.network.partition(options) end

---@class moonquake.fault.process.pause
---@field target moonquake.Target What to hit: target.process, target.container, target.systemd.
---@field method? "signal"|"ptrace" "signal" (SIGSTOP, seen by its parent, undone from the journal) or "ptrace" (the kernel ends it when the agent dies). Default: "signal".
---@field children? boolean Stop its descendants too. Default: false.
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Stops a process, by SIGSTOP or as its tracer, and continues it at the end.
---@param options moonquake.fault.process.pause
---@return moonquake.Fault
function fault.process.pause(options) end

---@class moonquake.fault.process.kill
---@field target moonquake.Target What to hit: target.process, target.container, target.systemd.
---@field signal? "ABRT"|"HUP"|"INT"|"KILL"|"QUIT"|"SEGV"|"TERM"|"USR1"|"USR2" The signal. Default: "KILL".
---@field every? string Kill again at this interval while the fault is on: each time what the target's selector matches then, as many as at first.
---@field restart? string At rollback: "none", "supervised" (check that a supervisor brought it back), or the arguments of a command that starts it. Default: "none".
---@field restart_within? string How long the process may take to be back at rollback. Default: "10s".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Ends a process with a signal; nothing can undo it, `restart` says what rollback does.
---@param options moonquake.fault.process.kill
---@return moonquake.Fault
function fault.process.kill(options) end

---@class moonquake.fault.cpu.limit
---@field target moonquake.Target What to hit: target.process, target.container, target.systemd.
---@field quota string The processor time that the group may use, in percent of one processor.
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Limits the processor time of the control group that the target is in.
---@param options moonquake.fault.cpu.limit
---@return moonquake.Fault
function fault.cpu.limit(options) end

---@class moonquake.fault.memory.limit
---@field target moonquake.Target What to hit: target.process, target.container, target.systemd.
---@field limit string The memory that the group may use, page cache included.
---@field below_use? boolean Allow a limit below what is in use: the kernel takes pages away at once, and kills when it cannot. Default: false.
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Limits the memory of the control group that the target is in.
---@param options moonquake.fault.memory.limit
---@return moonquake.Fault
function fault.memory.limit(options) end

---@class moonquake.fault.fd.exhaust
---@field target moonquake.Target What to hit: target.process, target.container, target.systemd.
---@field share? string How full the limit is made: at 95%, the last 5% of the limit can still be opened. Default: "100%".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Has a process run out of file descriptors, by its own limit.
---@param options moonquake.fault.fd.exhaust
---@return moonquake.Fault
function fault.fd.exhaust(options) end

---@class moonquake.fault.pid.exhaust
---@field target moonquake.Target What to hit: target.process, target.container, target.systemd.
---@field share? string How full the limit is made: at 95%, the last 5% of the limit can still be used. Default: "100%".
---@field scope? "cgroup"|"user" Which limit: "cgroup" (pids.max of the target's group) or "user" (its RLIMIT_NPROC). Default: "cgroup".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Takes the places for new processes and threads of a target's control group or user.
---@param options moonquake.fault.pid.exhaust
---@return moonquake.Fault
function fault.pid.exhaust(options) end

---@class moonquake.fault.clock.skew
---@field target moonquake.Target What to hit: target.process, target.container, target.systemd.
---@field offset string How far the service's clock is off: ahead, or behind with a minus, at most ten years.
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Shifts the wall clock of a service that was started by `moonquake wrap`.
---@param options moonquake.fault.clock.skew
---@return moonquake.Fault
function fault.clock.skew(options) end

---@class moonquake.fault.noop
---@field target moonquake.Target What to hit: target.host, target.netns, target.process, target.container, target.systemd.
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Changes nothing: for trying scripts, policies and installations.
---@param options moonquake.fault.noop
---@return moonquake.Fault
function fault.noop(options) end

---@class moonquake.blast_radius The limits of a run.
---@field targets? string|number The most targets at once: a share of the matches, or a number.
---@field traffic? string The largest share of traffic that may be hit. Default: "100%".
---@field max_duration? string How long any fault may last. Default: "10m".

---@class moonquake.steady_state What is watched, how often, for how long.
---@field every? string How often every metric is sampled and judged. Default: "1s".
---@field warmup? string How long the baseline is watched before the first fault. Default: "0s".
---@field recovery? string How long recovery may take after the rollback. Default: "30s".
---@field metrics? table<string, moonquake.Metric> The metrics, each under the name that conditions and the report use.

---@class moonquake.experiment An experiment.
---@field owner? string Who answers for it.
---@field description? string What it is for.
---@field hypothesis? string What is expected to hold, in words.
---@field tags? string|string[] Words to find it by.
---@field duration? string How long `faults` stay on; only with `faults`.
---@field steady_state? moonquake.steady_state|moonquake.SteadyState What is watched.
---@field blast_radius? moonquake.blast_radius The limits of the run.
---@field run? fun() The body, called once the baseline was checked.
---@field faults? moonquake.Fault|moonquake.Fault[] The faults of an experiment without a body; they stay on for `duration`.

---Declares an experiment: `experiment "title" { … }`.
---@param title string 1 to 200 characters.
---@return fun(options: moonquake.experiment)
function experiment(title) end

---What is watched: a value for `experiment`, or a declaration at the top level of a plain script.
---@param options moonquake.steady_state
---@return moonquake.SteadyState steady_state
function steady_state(options) end

---Makes a fault; the baseline is checked before the first one.
---@param fault moonquake.Fault What to make.
---@return moonquake.Handle handle For `rollback`, or a `<close>` variable.
function inject(fault) end

---Puts a fault back, or all of them when none is named.
---@param handle? moonquake.Handle What `inject` returned.
function rollback(handle) end

---Samples and judges now; a false condition fails the hypothesis, and the script goes on.
---@param condition string|moonquake.Metric Such as "p99 < 300ms", or a metric with a threshold.
---@return moonquake.Figures figures Whether it held, and the values.
function check_metric(condition) end

---Arms a rule that aborts the run when it holds; judged every interval, whatever the script does.
---@param rule string|fun(): boolean A condition such as "error_rate > 5%", or a function that returns true to abort.
---@param name? string What the report calls the rule.
function abort_if(rule, name) end

---Aborts the run now, and puts everything back; never returns.
---@param reason string Why, for the report.
function abort(reason) end

---Lets time pass; metrics and rules are judged meanwhile.
---@param time string A time with its unit, such as "30s".
function wait(time) end

---Puts an observation on the time line of the report.
---@param text string What was seen.
function observe(text) end

---Puts a line on the time line; `print` does the same.
---@param ... any
function log(...) end
