-- Hypothesis:   the shop keeps up with 50 requests a second with 2 % of a processor. It does not.
-- Blast radius: the control group of the shop. Needs root and control groups with the cpu controller, v1 or v2.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when answers take more
--               than 500 ms.

local place = require "practice.place"

local shop = target.process { port = place.shop_port }

experiment "the shop keeps up with little processor time" {
  owner        = "shop",
  hypothesis   = "half of the answers come within 300 ms while the shop has 2 % of a processor",
  steady_state = {
    every    = "250ms",
    warmup   = "1s",
    recovery = "15s",
    metrics  = {
      median = metric.http {
        url = place.shop, rate = "50/s", measure = "p50", window = "1s", below = "300ms", abort_above = "500ms",
      },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  run = function()
    inject(fault.cpu.limit { target = shop, quota = "2%" })
    wait "15s"
  end,
}
