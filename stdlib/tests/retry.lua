-- What retry_test.lua runs: a fault that is tried again.

local retry = require("moonquake.retry").retry

local p = params { times = { type = "integer", default = 4 } }

experiment "tried again" {
  steady_state = { metrics = { ready = metric.lua { function() return 1 end, above = 0 } } },
  run = function()
    local result = retry(function(try)
      log("try", try)
      if check_metric("ready > 1", { counts = false }).held then return "there" end
      if try == 2 then error("on purpose") end
    end, { times = p.times, pause = "1s", backoff = 3, longest = "5s" })
    log("result", result)
    inject(fault.noop { target = target.host {} })
  end,
}
