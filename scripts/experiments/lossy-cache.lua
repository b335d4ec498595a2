-- Hypothesis:   every connection to redis succeeds within 3 s while a tenth of the packets is lost:
--               connections stand within 3 s, which is time for a second and a third try.
-- Blast radius: a tenth of the packets
--               between one network namespace and one address and port, for 3 s. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when half of the
--               connections fail.

local place = require "practice.place"

experiment "connections to the cache survive a lossy line" {
  owner        = "shop",
  hypothesis   = "every connection to redis succeeds within 3 s while a tenth of the packets is lost",
  steady_state = {
    every    = "500ms",
    warmup   = "1s",
    recovery = "15s",
    metrics  = {
      connections = metric.tcp {
        address = place.cache, netns = place.web, rate = "20/s", window = "3s",
        timeout = "3s", below = "5%", abort_above = "50%",
      },
    },
  },
  blast_radius = { max_duration = "1m" },

  faults = {
    fault.network.loss {
      target    = target.netns { name = place.web },
      to        = place.cache,
      percent   = "10%",
    },
  },
  duration = "3s",
}
