-- Hypothesis:   the shop answers as ever when its clock is a day ahead.
-- Blast radius: the clock of the shop, which scripts/practice.sh starts by `moonquake wrap`; all other clocks are true.
--               Needs no root for a shop of your own.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal.

local place = require "practice.place"

local shop = target.process { port = place.shop_port }

experiment "the shop does not mind the date" {
  owner        = "shop",
  hypothesis   = "every request is answered while the clock of the shop is a day ahead",
  steady_state = {
    every   = "250ms",
    warmup  = "1s",
    metrics = {
      errors = metric.http { url = place.shop, rate = "20/s", window = "1s", below = "1%", abort_above = "50%" },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  run = function()
    local ahead = inject(fault.clock.skew { target = shop, offset = "1d" })
    wait "3s"
    check_metric("errors < 1%")
    rollback(ahead)
  end,
}
