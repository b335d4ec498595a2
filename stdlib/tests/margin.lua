-- What margin_test.lua runs: how late may a database be?

local patterns = require "moonquake.patterns"

local p = params {
  at_least = { type = "duration", default = "100ms" },
  to       = { type = "duration", default = "500ms" },
  step     = { type = "duration", default = "10ms" },
}

experiment "how late may the database be?" {
  steady_state = { every = "500ms", metrics = { p95 = metric.http { url = "http://10.9.0.1/", measure = "p95" } } },
  run = function()
    local margin = patterns.ramp {
      fault = function(delay)
        return fault.network.latency { target = target.netns { name = "shop" }, to = "db.test:5432", delay = delay }
      end,
      to       = p.to,
      step     = p.step,
      holds    = "p95 < 300ms",
      at_least = p.at_least,
    }
    log("holds", margin.holds, "breaks", tostring(margin.breaks), "margin", margin.margin, "tries", margin.tries)
  end,
}
