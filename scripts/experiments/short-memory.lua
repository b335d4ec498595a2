-- Hypothesis:   the shop answers every request while a neighbour takes 128 MiB of memory within a second.
-- Blast radius: 128 MiB of this host's memory for 3 s, given back before the host is short. Needs root, for a control
--               group.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal.

local place = require "practice.place"

experiment "the shop bears a greedy neighbour" {
  owner        = "shop",
  hypothesis   = "no request fails while a neighbour takes memory",
  steady_state = {
    every    = "500ms",
    warmup   = "1s",
    recovery = "15s",
    metrics  = {
      error_rate = metric.http { url = place.shop, rate = "10/s", below = "1%", abort_above = "20%" },
    },
  },
  blast_radius = { max_duration = "30s" },

  run = function()
    local held = inject(fault.memory.pressure { target = target.host {}, use = "128MiB", ramp = "1s" })
    wait "3s"
    check_metric("error_rate < 1%")
    rollback(held)
  end,
}
