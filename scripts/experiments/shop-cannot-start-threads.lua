-- Hypothesis:   the shop answers when it can start no more threads. It cannot: every request has one.
-- Blast radius: the control group of the shop, for some seconds. Needs root and control groups with the pids
--               controller, v1 or v2.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when half of the requests
--               fail.

local place = require "practice.place"

local shop = target.process { port = place.shop_port }

experiment "the shop answers without new threads" {
  owner        = "shop",
  hypothesis   = "every request is answered while the places for processes and threads are taken",
  steady_state = {
    every    = "250ms",
    warmup   = "1s",
    recovery = "15s",
    metrics  = {
      errors = metric.http { url = place.shop, rate = "20/s", window = "1s", below = "1%", abort_above = "50%" },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  run = function()
    inject(fault.pid.exhaust { target = shop })
    wait "15s"
  end,
}
