-- What load_test.lua runs: two loads.

local load = require "moonquake.load"

local metrics = load.http {
  url = "http://10.9.0.1/", rate = "200/s", timeout = "2s",
  error_rate = { below = "1%", abort_above = "20%" }, p95 = { below = "300ms" },
}
for name, metric in pairs(load.tcp { address = "10.9.0.3:5432", prefix = "db_", p50 = {} }) do
  metrics[name] = metric
end

experiment "under load" {
  steady_state = { metrics = metrics },
  faults = { fault.noop { target = target.host {} } },
  duration = "2s",
}
