-- Hypothesis:   the shop answers without its redis while redis is paused: connections open, but nobody answers.
-- Blast radius: one redis process, for 3 s. Needs no root for a redis of your own.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal.
--
-- A plain script: no `experiment`, the calls below are the experiment, named after this file.

local place = require "practice.place"

steady_state {
  every   = "500ms",
  warmup  = "1s",
  metrics = {
    error_rate = metric.http { url = place.shop, rate = "10/s", below = "1%" },
  },
}

local pause = inject(fault.process.pause { target = target.process { port = place.redis_port } })
wait "3s"
local seen = check_metric("error_rate < 1%")
observe("error rate while redis was paused: " .. tostring(seen.error_rate))
rollback(pause)
