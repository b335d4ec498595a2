---@meta moonquake
-- Types of the Moonquake primitives, for editors. Generated from the descriptors of targets, metrics and
-- faults; do not edit: MOONQUAKE_UPDATE=1 swift test --filter ScriptTests writes it again.
-- luacheck: ignore

---@class moonquake.Target A target selector.

---@class moonquake.Metric A metric; it gets its name where it is put.

---@class moonquake.Fault A fault; `inject` makes it.

---@class moonquake.SteadyState What is watched.

---@class moonquake.Experiment An experiment of this file, to be named in a GameDay.

---@class moonquake.CatalogEntry A definition of the catalogue.

---@class moonquake.Notifier Somebody who is told of a GameDay.

---@class moonquake.Figures The answer of `check_metric`; each value is a field of its own, too.
---@field held? boolean Whether the condition held; nil when a value was missing.
---@field values table<string, number> The values in base units: seconds, bytes, shares, events a second.
---@field took number How long it took until it held, in seconds; at most the time of `within`.
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
---@field control? string The name of another metric, the same measure on targets left alone: the report compares them.

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
---@field control? string The name of another metric, the same measure on targets left alone: the report compares them.

---Connections of our own to an address: error rate, rate and time to connect.
---@param options moonquake.metric.tcp
---@return moonquake.Metric
function metric.tcp(options) end

---@class moonquake.metric.prometheus
---@field server string The URL of the server, with its path prefix where it has one.
---@field query string The query, sent as it is written; it must give a scalar or an instant vector.
---@field any? boolean With several series: judge the best one. Otherwise the worst, so that all must hold. Default: false.
---@field scrape_interval? string How often the server scrapes: how old a value may be when we see it. Asked of the server when left out.
---@field step? string Ask for the points of the last `window`, this far apart, and judge their `measure`.
---@field window? string The span of a query with `step`; 1m when left out.
---@field timeout? string How long an answer may take; later is no data. Default: "5s".
---@field headers? table<string, string> Headers of the request, such as the tenant's.
---@field username? string The user of basic authentication.
---@field password? string The password of basic authentication.
---@field bearer_token? string The token of bearer authentication.
---@field ca_file? string Certificates (PEM) of those who may vouch for the server, instead of the system's.
---@field cert_file? string Our certificate (PEM), for servers that ask for one.
---@field key_file? string The private key (PEM) of `cert_file`.
---@field measure? "value"|"mean"|"min"|"max" What is measured. Default: "value".
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
---@field control? string The name of another metric, the same measure on targets left alone: the report compares them.

---The value of a PromQL query, asked of a Prometheus server at each sample.
---@param options moonquake.metric.prometheus
---@return moonquake.Metric
function metric.prometheus(options) end

---@class moonquake.metric.scrape
---@field url string The URL of the page: "http://10.9.0.2:9100/metrics".
---@field name string The name of the metric; of a histogram or summary without _bucket, _sum, _count.
---@field labels? table<string, string> Only series that have these labels with these values.
---@field any? boolean For `value` with several series: judge the best one. Otherwise the worst, so that all must hold. Default: false.
---@field window? string The span that a value is computed over; it slides. Default: "10s".
---@field timeout? string How long an answer may take; later is no data. Default: "5s".
---@field headers? table<string, string> Headers of the request, such as the tenant's.
---@field username? string The user of basic authentication.
---@field password? string The password of basic authentication.
---@field bearer_token? string The token of bearer authentication.
---@field ca_file? string Certificates (PEM) of those who may vouch for the server, instead of the system's.
---@field cert_file? string Our certificate (PEM), for servers that ask for one.
---@field key_file? string The private key (PEM) of `cert_file`.
---@field measure? "value"|"rate"|"mean"|"p50"|"p90"|"p95"|"p99"|"p99.9" What is measured. Default: "value".
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
---@field control? string The name of another metric, the same measure on targets left alone: the report compares them.

---A metric of a /metrics page, read at each sample without a Prometheus server.
---@param options moonquake.metric.scrape
---@return moonquake.Metric
function metric.scrape(options) end

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
---@field control? string The name of another metric, the same measure on targets left alone: the report compares them.

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
---@field control? string The name of another metric, the same measure on targets left alone: the report compares them.

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
---@field control? string The name of another metric, the same measure on targets left alone: the report compares them.

---The number that a Lua function returns; nil is no data.
---@param options (fun(): number?, string?)|moonquake.metric.lua
---@return moonquake.Metric
function metric.lua(options) end

fault = {}
fault.network = {}
fault.dns = {}
fault.http = {}
fault.grpc = {}
fault.process = {}
fault.cpu = {}
fault.memory = {}
fault.fd = {}
fault.pid = {}
fault.clock = {}
fault.disk = {}

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

---@class moonquake.fault.dns.error
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field answer? "NXDOMAIN"|"SERVFAIL"|"REFUSED" The error: the name is not there, the server failed, or it refused. Default: "NXDOMAIN".
---@field types? "A"|"NS"|"CNAME"|"SOA"|"PTR"|"MX"|"TXT"|"AAAA"|"SRV"|"NAPTR"|"DS"|"DNSKEY"|"TLSA"|"SVCB"|"HTTPS"|"ANY"|"CAA"|("A"|"NS"|"CNAME"|"SOA"|"PTR"|"MX"|"TXT"|"AAAA"|"SRV"|"NAPTR"|"DS"|"DNSKEY"|"TLSA"|"SVCB"|"HTTPS"|"ANY"|"CAA")[] The types of records; without it, all.
---@field names string|string[] The names: exactly one (db.test), all below one (*.test), or all (*).
---@field except? string|string[] Names that are left alone although `names` has them.
---@field traffic? string The share of the queries that match which is hit, chosen by the seed. Default: "100%".
---@field user? string|string[] Only queries of these users: names or numeric ids.
---@field cgroup? string|string[] Only queries of these control groups (v2), those below them included.
---@field dot? "pass"|"drop"|"reset" What happens to DNS over TLS and QUIC (port 853), which cannot be looked into. Default: "pass".
---@field method? "auto"|"redirect"|"resolv_conf" How queries come to the fault: redirected by nft, or by an edit of resolv.conf. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Answers DNS queries with an error.
---@param options moonquake.fault.dns.error
---@return moonquake.Fault
function fault.dns.error(options) end

---@class moonquake.fault.dns.spoof
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field addresses string|string[] What is answered: IPv4 for A, IPv6 for AAAA; a family without any is answered with none.
---@field ttl? string How long clients may keep the answer; what they keep outlives the fault. Default: "0s".
---@field names string|string[] The names: exactly one (db.test), all below one (*.test), or all (*).
---@field except? string|string[] Names that are left alone although `names` has them.
---@field traffic? string The share of the queries that match which is hit, chosen by the seed. Default: "100%".
---@field user? string|string[] Only queries of these users: names or numeric ids.
---@field cgroup? string|string[] Only queries of these control groups (v2), those below them included.
---@field dot? "pass"|"drop"|"reset" What happens to DNS over TLS and QUIC (port 853), which cannot be looked into. Default: "pass".
---@field method? "auto"|"redirect"|"resolv_conf"|"hosts" How lookups come to the fault: redirected by nft, or by an edit of resolv.conf or hosts. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Answers DNS queries for addresses with others.
---@param options moonquake.fault.dns.spoof
---@return moonquake.Fault
function fault.dns.spoof(options) end

---@class moonquake.fault.dns.delay
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field delay string How late queries go on.
---@field jitter? string How far the delay varies around that, at most as far as the delay. Default: "0ms".
---@field types? "A"|"NS"|"CNAME"|"SOA"|"PTR"|"MX"|"TXT"|"AAAA"|"SRV"|"NAPTR"|"DS"|"DNSKEY"|"TLSA"|"SVCB"|"HTTPS"|"ANY"|"CAA"|("A"|"NS"|"CNAME"|"SOA"|"PTR"|"MX"|"TXT"|"AAAA"|"SRV"|"NAPTR"|"DS"|"DNSKEY"|"TLSA"|"SVCB"|"HTTPS"|"ANY"|"CAA")[] The types of records; without it, all.
---@field names string|string[] The names: exactly one (db.test), all below one (*.test), or all (*).
---@field except? string|string[] Names that are left alone although `names` has them.
---@field traffic? string The share of the queries that match which is hit, chosen by the seed. Default: "100%".
---@field user? string|string[] Only queries of these users: names or numeric ids.
---@field cgroup? string|string[] Only queries of these control groups (v2), those below them included.
---@field dot? "pass"|"drop"|"reset" What happens to DNS over TLS and QUIC (port 853), which cannot be looked into. Default: "pass".
---@field method? "auto"|"redirect"|"resolv_conf" How queries come to the fault: redirected by nft, or by an edit of resolv.conf. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Lets DNS queries go on to the real resolver late.
---@param options moonquake.fault.dns.delay
---@return moonquake.Fault
function fault.dns.delay(options) end

---@class moonquake.fault.dns.drop
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field types? "A"|"NS"|"CNAME"|"SOA"|"PTR"|"MX"|"TXT"|"AAAA"|"SRV"|"NAPTR"|"DS"|"DNSKEY"|"TLSA"|"SVCB"|"HTTPS"|"ANY"|"CAA"|("A"|"NS"|"CNAME"|"SOA"|"PTR"|"MX"|"TXT"|"AAAA"|"SRV"|"NAPTR"|"DS"|"DNSKEY"|"TLSA"|"SVCB"|"HTTPS"|"ANY"|"CAA")[] The types of records; without it, all.
---@field names string|string[] The names: exactly one (db.test), all below one (*.test), or all (*).
---@field except? string|string[] Names that are left alone although `names` has them.
---@field traffic? string The share of the queries that match which is hit, chosen by the seed. Default: "100%".
---@field user? string|string[] Only queries of these users: names or numeric ids.
---@field cgroup? string|string[] Only queries of these control groups (v2), those below them included.
---@field dot? "pass"|"drop"|"reset" What happens to DNS over TLS and QUIC (port 853), which cannot be looked into. Default: "pass".
---@field method? "auto"|"redirect"|"resolv_conf" How queries come to the fault: redirected by nft, or by an edit of resolv.conf. Default: "auto".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Lets DNS queries go unanswered.
---@param options moonquake.fault.dns.drop
---@return moonquake.Fault
function fault.dns.drop(options) end

---@class moonquake.fault.http.latency
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field delay string How much later an answer begins; its bytes then come as fast as ever.
---@field jitter? string How far the delay varies around that, evenly, at most as far as the delay. Default: "0ms".
---@field port? integer The port that requests go to, of the service itself; without it, the only one that is listened on there.
---@field traffic? string The share of the requests that match which is hit, chosen by the seed. Default: "100%".
---@field method? string|string[] Only requests with these methods.
---@field path? string Only requests with this path, without its query; * stands for any text.
---@field host? string Only requests for this host, without its port; * stands for any text.
---@field match_headers? table<string, string> Only requests with all of these headers; * in a value stands for any text.
---@field client? string|string[] Only requests from these addresses or networks.
---@field direction? "both"|"egress"|"ingress" Requests made in the target's namespace (egress), coming into it (ingress), or both. Default: "both".
---@field to? string|string[] Only requests to these addresses; without it, to any.
---@field listen? integer Listen on this port, to which you point the client, instead of redirecting.
---@field open_connections? "reset"|"leave" Whether connections that were open before are reset so that they come again, or left alone and not hit. Default: "reset".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Delays the answers to HTTP requests.
---@param options moonquake.fault.http.latency
---@return moonquake.Fault
function fault.http.latency(options) end

---@class moonquake.fault.http.error
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field status? integer The status of the answer. Default: 503.
---@field body? string The body of the answer, at most 32 KiB; without it, none.
---@field headers? table<string, string> Headers of the answer; its length is added.
---@field port? integer The port that requests go to, of the service itself; without it, the only one that is listened on there.
---@field traffic? string The share of the requests that match which is hit, chosen by the seed. Default: "100%".
---@field method? string|string[] Only requests with these methods.
---@field path? string Only requests with this path, without its query; * stands for any text.
---@field host? string Only requests for this host, without its port; * stands for any text.
---@field match_headers? table<string, string> Only requests with all of these headers; * in a value stands for any text.
---@field client? string|string[] Only requests from these addresses or networks.
---@field direction? "both"|"egress"|"ingress" Requests made in the target's namespace (egress), coming into it (ingress), or both. Default: "both".
---@field to? string|string[] Only requests to these addresses; without it, to any.
---@field listen? integer Listen on this port, to which you point the client, instead of redirecting.
---@field open_connections? "reset"|"leave" Whether connections that were open before are reset so that they come again, or left alone and not hit. Default: "reset".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Answers HTTP requests with an error, without passing them on.
---@param options moonquake.fault.http.error
---@return moonquake.Fault
function fault.http.error(options) end

---@class moonquake.fault.http.abort
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field port? integer The port that requests go to, of the service itself; without it, the only one that is listened on there.
---@field traffic? string The share of the requests that match which is hit, chosen by the seed. Default: "100%".
---@field method? string|string[] Only requests with these methods.
---@field path? string Only requests with this path, without its query; * stands for any text.
---@field host? string Only requests for this host, without its port; * stands for any text.
---@field match_headers? table<string, string> Only requests with all of these headers; * in a value stands for any text.
---@field client? string|string[] Only requests from these addresses or networks.
---@field direction? "both"|"egress"|"ingress" Requests made in the target's namespace (egress), coming into it (ingress), or both. Default: "both".
---@field to? string|string[] Only requests to these addresses; without it, to any.
---@field listen? integer Listen on this port, to which you point the client, instead of redirecting.
---@field open_connections? "reset"|"leave" Whether connections that were open before are reset so that they come again, or left alone and not hit. Default: "reset".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Resets the connection of HTTP requests (HTTP/2: the stream), without passing them on.
---@param options moonquake.fault.http.abort
---@return moonquake.Fault
function fault.http.abort(options) end

---@class moonquake.fault.http.bandwidth
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field rate string The most bits a second.
---@field scope? "connection"|"aggregate" Whether each request has the rate for itself, or all that are hit share it (aggregate). Default: "connection".
---@field of? "response"|"request"|"both" Whose bytes are limited: of answers, of the bodies of requests, or both. Default: "response".
---@field port? integer The port that requests go to, of the service itself; without it, the only one that is listened on there.
---@field traffic? string The share of the requests that match which is hit, chosen by the seed. Default: "100%".
---@field method? string|string[] Only requests with these methods.
---@field path? string Only requests with this path, without its query; * stands for any text.
---@field host? string Only requests for this host, without its port; * stands for any text.
---@field match_headers? table<string, string> Only requests with all of these headers; * in a value stands for any text.
---@field client? string|string[] Only requests from these addresses or networks.
---@field direction? "both"|"egress"|"ingress" Requests made in the target's namespace (egress), coming into it (ingress), or both. Default: "both".
---@field to? string|string[] Only requests to these addresses; without it, to any.
---@field listen? integer Listen on this port, to which you point the client, instead of redirecting.
---@field open_connections? "reset"|"leave" Whether connections that were open before are reset so that they come again, or left alone and not hit. Default: "reset".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Limits the rate of HTTP answers or requests.
---@param options moonquake.fault.http.bandwidth
---@return moonquake.Fault
function fault.http.bandwidth(options) end

---@class moonquake.fault.grpc.error
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field code? "OK"|"CANCELLED"|"UNKNOWN"|"INVALID_ARGUMENT"|"DEADLINE_EXCEEDED"|"NOT_FOUND"|"ALREADY_EXISTS"|"PERMISSION_DENIED"|"RESOURCE_EXHAUSTED"|"FAILED_PRECONDITION"|"ABORTED"|"OUT_OF_RANGE"|"UNIMPLEMENTED"|"INTERNAL"|"UNAVAILABLE"|"DATA_LOSS"|"UNAUTHENTICATED" The status of the call. Default: "UNAVAILABLE".
---@field message? string The message of the status. Default: "injected by moonquake".
---@field port? integer The port that requests go to, of the service itself; without it, the only one that is listened on there.
---@field traffic? string The share of the requests that match which is hit, chosen by the seed. Default: "100%".
---@field path? string Only requests with this path, without its query; * stands for any text.
---@field host? string Only requests for this host, without its port; * stands for any text.
---@field match_headers? table<string, string> Only requests with all of these headers; * in a value stands for any text.
---@field client? string|string[] Only requests from these addresses or networks.
---@field direction? "both"|"egress"|"ingress" Requests made in the target's namespace (egress), coming into it (ingress), or both. Default: "both".
---@field to? string|string[] Only requests to these addresses; without it, to any.
---@field listen? integer Listen on this port, to which you point the client, instead of redirecting.
---@field open_connections? "reset"|"leave" Whether connections that were open before are reset so that they come again, or left alone and not hit. Default: "reset".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Answers gRPC calls with a status, without passing them on.
---@param options moonquake.fault.grpc.error
---@return moonquake.Fault
function fault.grpc.error(options) end

---@class moonquake.fault.grpc.latency
---@field target moonquake.Target What to hit: target.netns, target.host, target.process, target.container, target.systemd.
---@field delay string How much later an answer begins; its bytes then come as fast as ever.
---@field jitter? string How far the delay varies around that, evenly, at most as far as the delay. Default: "0ms".
---@field port? integer The port that requests go to, of the service itself; without it, the only one that is listened on there.
---@field traffic? string The share of the requests that match which is hit, chosen by the seed. Default: "100%".
---@field path? string Only requests with this path, without its query; * stands for any text.
---@field host? string Only requests for this host, without its port; * stands for any text.
---@field match_headers? table<string, string> Only requests with all of these headers; * in a value stands for any text.
---@field client? string|string[] Only requests from these addresses or networks.
---@field direction? "both"|"egress"|"ingress" Requests made in the target's namespace (egress), coming into it (ingress), or both. Default: "both".
---@field to? string|string[] Only requests to these addresses; without it, to any.
---@field listen? integer Listen on this port, to which you point the client, instead of redirecting.
---@field open_connections? "reset"|"leave" Whether connections that were open before are reset so that they come again, or left alone and not hit. Default: "reset".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Delays the answers to gRPC calls; a stream's messages then come as fast as ever.
---@param options moonquake.fault.grpc.latency
---@return moonquake.Fault
function fault.grpc.latency(options) end

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
---@field share? string How full the limit is made: at 95%, the last 5% of the limit can still be used; at 100%, places that the target gives up are taken as well. Default: "100%".
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

---@class moonquake.fault.cpu.stress
---@field target moonquake.Target What to hit: target.host, target.process, target.container, target.systemd.
---@field load string The share of the processors, or of the control group's quota, to keep busy.
---@field cores? string Which processors: "all", how many, or a list of their numbers. Default: "all".
---@field mode? "added"|"total" Whether the load is added to what others use, or what others use counts and only the rest is added. Default: "added".
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Keeps processors busy, of the host or within a process's control group.
---@param options moonquake.fault.cpu.stress
---@return moonquake.Fault
function fault.cpu.stress(options) end

---@class moonquake.fault.memory.pressure
---@field target moonquake.Target What to hit: target.host, target.process, target.container, target.systemd.
---@field use string A percentage: how much of the host's memory, or of the group's limit, is in use in all; a size: how much the worker holds.
---@field ramp? string How long filling takes; the injection returns when it has begun, without a ramp when it is full. Default: "0s".
---@field on_oom? "fail"|"respawn"|"ignore" When the kernel kills the worker for want of memory: the fault has ended early ("fail"), another takes its place ("respawn"), or that is what you wanted ("ignore"). Default: "fail".
---@field keep_free? string What the host must have left; below it the worker gives memory back. Without it 2% of the host's memory, at least 64MiB.
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Holds memory, of the host or within a process's control group.
---@param options moonquake.fault.memory.pressure
---@return moonquake.Fault
function fault.memory.pressure(options) end

---@class moonquake.fault.disk.fill
---@field target moonquake.Target What to hit: target.host.
---@field path string A folder on the file system; symbolic links and bind mounts are resolved first.
---@field to? string Fill until this is used, as `df` counts; either this or `size`.
---@field size? string Take this much; either this or `to`.
---@field keep_free? string Leave at least this much available, whatever `to` and `size` say. Default: "0B".
---@field visible? boolean Whether the files have names, for programs that look for what fills the disk and remove it; held by the journal then. Default: false.
---@field allow_root? boolean Whether the root file system, and the one that holds Moonquake's own state, may be hit. Default: false.
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Takes the space of a file system.
---@param options moonquake.fault.disk.fill
---@return moonquake.Fault
function fault.disk.fill(options) end

---@class moonquake.fault.disk.io
---@field target moonquake.Target What to hit: target.host, target.process, target.container, target.systemd.
---@field path string A folder on the file system; symbolic links and bind mounts are resolved first.
---@field read? string How much the worker reads a second.
---@field write? string How much the worker writes a second.
---@field block? string How much it reads or writes at once: a multiple of 4KiB up to 16MiB. Default: "64KiB".
---@field direct? boolean Whether it passes by the page cache; not every file system can. Default: true.
---@field file_size? string How large the file without a name is that it reads, and the one that it writes. Default: "64MiB".
---@field limit_read? string The most that the target's control group may read a second from the disk.
---@field limit_write? string The most that the target's control group may write a second to the disk.
---@field allow_root? boolean Whether the root file system, and the one that holds Moonquake's own state, may be hit. Default: false.
---@field duration? string Revert by itself after this time; without it, at rollback or at the end of the run.

---Reads and writes on a file system, or limits how fast a process may.
---@param options moonquake.fault.disk.io
---@return moonquake.Fault
function fault.disk.io(options) end

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
---@return fun(options: moonquake.experiment): moonquake.Experiment
function experiment(title) end

---@class moonquake.param What `--param` may set.
---@field type "string"|"boolean"|"integer"|"number"|"duration"|"percent"|"size"|"rate" The type; a value of another type is refused.
---@field default? string|number The value without `--param`; without a default the parameter must be given.
---@field choices? string|string[] The only values that are allowed.
---@field help? string What it is for.

---Declares what `--param` may set, and returns the values by name.
---@param declarations table<string, moonquake.param>
---@return table<string, string|number|boolean> values
function params(declarations) end

---The value of a variable of the environment; an error when it is not set.
---@param name string
---@param default? string The value when it is not set.
---@return string value
function env(name, default) end

---The value of a variable of the environment that is masked in everything that is written.
---@param name string
---@return string value
function secret(name) end

notify = {}

---@class moonquake.notify.webhook Posts a JSON object, whose text chat services show.
---@field url string Where the JSON object is posted.
---@field headers? table<string, string> More headers, such as an Authorization.

---Posts a JSON object, whose text chat services show.
---@param options string|moonquake.notify.webhook
---@return moonquake.Notifier
function notify.webhook(options) end

---@class moonquake.notify.email Sends an email by way of an SMTP server.
---@field to string|string[] Who gets it.
---@field from? string Who it comes from. Default: "moonquake@localhost".
---@field via string The mail server: smtps://, or smtp:// with STARTTLS.
---@field user? string The login, where the server wants one.
---@field password? string Its password.
---@field ca_file? string Certificates to trust instead of the system's.
---@field plain? boolean Accept a server that offers no TLS. Default: false.

---Sends an email by way of an SMTP server.
---@param options moonquake.notify.email
---@return moonquake.Notifier
function notify.email(options) end

---@class moonquake.notify.command Runs a program with the JSON object on its standard input.
---@field run string|string[] The program and its arguments; the JSON object is its standard input.

---Runs a program with the JSON object on its standard input.
---@param options moonquake.notify.command
---@return moonquake.Notifier
function notify.command(options) end

---@class moonquake.schedule When a GameDay runs by itself.
---@field every string How often: "hour", "day", "week", "month", or a span such as "30m" from the registration on.
---@field on? string|string[] The days: names of days with every = "week", numbers of days with every = "month".
---@field at? string|string[] The times of day in the zone, as "10:00"; with every = "hour" only their minutes count.
---@field zone? string The time zone, by its IANA name. Default: "UTC".
---@field only_between? string It never fires outside this time of day; "22:00-02:00" goes over midnight.
---@field days? "sunday"|"monday"|"tuesday"|"wednesday"|"thursday"|"friday"|"saturday"|("sunday"|"monday"|"tuesday"|"wednesday"|"thursday"|"friday"|"saturday")[] It never fires on other days of the week; after midnight a window belongs to the day it began on.
---@field jitter? string Start up to this much later, by chance, but within window and days: a span, or a share of the time between two runs. Default: "0s".
---@field overlap? "skip"|"wait" When the run before still goes on: skip this one and record that, or wait for its end. Default: "skip".
---@field missed? "one"|"none" When runs were due and nothing was there to start them: make up for them with one, or with none. Default: "one".

---@class moonquake.gameday A GameDay.
---@field owner? string Who answers for it.
---@field description? string What it is for.
---@field tags? string|string[] Words to find it by.
---@field pause? string How long to wait between two experiments. Default: "0s".
---@field recovery? string How long `health` may take to come back before an experiment; then the day is halted. Default: "10m".
---@field approval? "day"|"each" What waits for approval: the whole day, or each experiment.
---@field approvers? integer How many different people must approve. Default: 1.
---@field approval_timeout? string How long a gate waits; then it counts as rejected. Default: "15m".
---@field experiments? (string|moonquake.Experiment|moonquake.CatalogEntry)[] The experiments, in their order: files, names, entries of the catalogue, or experiments of this file.
---@field health? moonquake.steady_state|moonquake.SteadyState What must be healthy before each experiment.
---@field notify? moonquake.Notifier|moonquake.Notifier[] Who is told when the day begins, waits at a gate, is aborted and ends.
---@field schedule? moonquake.schedule When `gameday daemon` runs it.
---@field run? fun(day: moonquake.Day) The steps in Lua, instead of one experiment after the other.

---@class moonquake.Row How an experiment of a GameDay came out.
---@field title string
---@field outcome "held"|"deviated"|"inconclusive"|"aborted"|"failed"|"leaked"|"skipped"
---@field held boolean Whether the hypothesis held.
---@field reason string Why it did not; empty when it held.
---@field run_id? string
---@field recovered_after? number Seconds from the rollback until the system was healthy.

---@class moonquake.Day What the function of a GameDay may do.
---@field experiment fun(experiment: string|moonquake.Experiment|moonquake.CatalogEntry): moonquake.Row Runs one of the GameDay's experiments.
---@field pause fun(duration: string) Waits.
---@field approve fun(subject: string) Waits for approval of something in words.
---@field observe fun(text: string) Puts an observation on the time line.

---Declares a GameDay: `gameday "title" { … }`.
---@param title string 1 to 200 characters.
---@return fun(options: moonquake.gameday)
function gameday(title) end

---Names a definition of the catalogue.
---@param name string "name", or "name@version".
---@return moonquake.CatalogEntry
function catalog(name) end

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
---@param options? { within?: string, counts?: boolean } within: wait until it holds, at most this long, such as "10s"; counts: false only looks.
---@return moonquake.Figures figures Whether it held, and the values.
function check_metric(condition, options) end

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

---@class moonquake.TestOptions How `t.run` runs a script.
---@field metrics? table<string, number|string|boolean|fun(now: moonquake.Moment, metric: table): any, string?>
---@field machine? table What there is: processes, units, containers, netns, hosts.
---@field params? table<string, string|number|boolean> As `--param` gives them.
---@field env? table<string, string> The variables of the environment.
---@field seed? integer
---@field experiment? string The title, when the file defines several.
---@field fail? table<string, string> Faults that cannot be made, with the reason.
---@field at? table<string, fun(machine: moonquake.TestMachine)> What happens after so long.
---@field approve? boolean|fun(subject: string): boolean? What is said at a gate of a GameDay.
---@field catalog? table<string, string> Files that stand for definitions of the catalogue.

---@class moonquake.Moment A moment of a made-up run.
---@field time number Seconds since the run began.
---@field faults table<string, table<string, any>> The faults in force, with their options in base units.
---@field running table<string, integer> How many processes run, by name.

---@class moonquake.TestMachine What may happen to a made-up machine.
---@field starts fun(name: string) One more process of this name is there.
---@field ends fun(name: string) All processes of this name end.
---@field agent_dies fun() The agent dies as by `kill -9`.
---@field interrupt fun() Somebody presses Ctrl-C.

---@class moonquake.Test What a test may do.
---@field run fun(file: string, options?: moonquake.TestOptions): table Runs an experiment; returns its report.
---@field gameday fun(file: string, options?: moonquake.TestOptions): table Runs a GameDay; returns its report.
---@field equal fun(actual: any, expected: any, what?: string)
---@field ok fun(value: any, what?: string)
---@field near fun(actual: number, expected: number, tolerance: number, what?: string)
---@field contains fun(text: string|any[], part: any, what?: string)
---@field raises fun(body: function, part?: string): string Returns the message.

---Declares a test, in a file for `moonquake test`.
---@param name string
---@param body fun(t: moonquake.Test)
function test(name, body) end
