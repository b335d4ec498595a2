-- Hypothesis:   the shop goes on when its baskets need more memory than it may have. The kernel kills it instead.
-- Blast radius: the control group of the shop, which loses its baskets; its supervisor starts it again. Needs root and
--               control groups with the memory controller, v1 or v2.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when requests fail.

local place = require "practice.place"

local shop = target.process { port = place.shop_port }

experiment "the shop lives with 100 MiB" {
  owner        = "shop",
  hypothesis   = "every basket is kept while the shop may use 100 MiB",
  steady_state = {
    every    = "250ms",
    warmup   = "500ms",
    recovery = "15s",
    metrics  = {
      errors = metric.http {
        url = place.shop .. "basket", rate = "20/s", window = "1s", below = "1%", abort_above = "5%",
      },
    },
  },
  blast_radius = { targets = 1, max_duration = "1m" },

  run = function()
    inject(fault.memory.limit { target = shop, limit = "100MiB" })
    wait "20s"
  end,
}
