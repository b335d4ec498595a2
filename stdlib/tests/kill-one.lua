-- What kill-one_test.lua runs: an experiment in the pattern "kill one, wait for recovery".

local patterns = require "moonquake.patterns"

local p = params { times = { type = "integer", default = 3 }, within = { type = "duration", default = "10s" } }

experiment "the workers come back" {
  steady_state = { every = "500ms", metrics = { errors = metric.http { url = "http://10.9.0.1/" } } },
  run = function()
    local recovery = patterns.kill_one {
      target    = target.process { name = "worker", count = 1 },
      recovered = "errors < 1%",
      within    = p.within,
      times     = p.times,
      kill      = { restart = "supervised" },
    }
    log("worst", recovery.worst, "kills", #recovery.took)
  end,
}
