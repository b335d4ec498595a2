-- Hypothesis:   when the answers of the cache are lost on their way (its requests still arrive), logging in still
--               works, because sessions are kept by another redis on the same host.
-- Blast radius: packets from one address and port to one network namespace, that way only, for 4 s. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when a tenth of the
--               connections to the sessions fail.

local place = require "practice.place"

local LOST_FOR = "4s"

experiment "sessions survive a one-way partition of the cache" {
  owner        = "shop",
  hypothesis   = "every connection to the sessions' redis succeeds while answers of the cache are lost",
  steady_state = {
    every    = "500ms",
    warmup   = "1s",
    recovery = "10s",
    metrics  = {
      sessions = metric.tcp {
        address = place.sessions, netns = place.web, rate = "20/s", below = "1%", abort_above = "10%",
      },
    },
  },
  blast_radius = { max_duration = "1m" },

  run = function()
    local lost <close> = inject(fault.network.partition {
      target    = target.netns { name = place.web },
      to        = place.cache,
      direction = "ingress",
      protocol  = "tcp",
    })
    wait(LOST_FOR)
    check_metric(metric.tcp {
      address = place.cache, netns = place.web, rate = "20/s", timeout = "200ms", window = "1s", above = "99%",
    })
    log("the fault ends with this scope:", lost.fault)
  end,
}
