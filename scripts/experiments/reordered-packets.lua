-- Hypothesis:   every connection to redis succeeds while a quarter of the packets overtakes the others:
--               TCP puts them in order again.
-- Blast radius: a quarter of the packets, which go first while the others are 20 ms late
--               between one network namespace and one address and port, for 3 s. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when half of the
--               connections fail.

local place = require "practice.place"

experiment "connections to the cache survive reordered packets" {
  owner        = "shop",
  hypothesis   = "every connection to redis succeeds while a quarter of the packets overtakes the others",
  steady_state = {
    every    = "500ms",
    warmup   = "1s",
    recovery = "15s",
    metrics  = {
      connections = metric.tcp {
        address = place.cache, netns = place.web, rate = "20/s", window = "3s",
        below = "1%", abort_above = "50%",
      },
    },
  },
  blast_radius = { max_duration = "1m" },

  faults = {
    fault.network.reorder {
      target    = target.netns { name = place.web },
      to        = place.cache,
      percent   = "25%",
      delay     = "20ms",
    },
  },
  duration = "3s",
}
