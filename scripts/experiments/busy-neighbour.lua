-- Hypothesis:   the shop answers every request while half of the host's processor time is in use.
-- Blast radius: all processors of this host to 50 %, what others use included, for 4 s. Needs root (a control group).
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when a fifth of the
--               requests fail.

local place = require "practice.place"

experiment "the shop bears a busy neighbour" {
  owner        = "shop",
  hypothesis   = "no request fails while half of the processor time is in use",
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
    local load <close> = inject(fault.cpu.stress { target = target.host {}, load = "50%", mode = "total" })
    wait "4s"
    check_metric("error_rate < 1%")
    rollback(load)
  end,
}
