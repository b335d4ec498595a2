-- Hypothesis:   every connection to redis succeeds while half of the packets come twice:
--               TCP throws the copies away.
-- Blast radius: half of the packets
--               between one network namespace and one address and port, for 3 s. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when half of the
--               connections fail.

local place = require "practice.place"

experiment "connections to the cache survive doubled packets" {
  owner        = "shop",
  hypothesis   = "every connection to redis succeeds while half of the packets come twice",
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
    fault.network.duplicate {
      target    = target.netns { name = place.web },
      to        = place.cache,
      percent   = "50%",
    },
  },
  duration = "3s",
}
