-- Hypothesis:   the shop answers within 500 ms although every packet to its redis is 50 ms late, more or less.
-- Blast radius: the packets from one network namespace to one address and port, for 5 s. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when a fifth of the
--               requests fail.

local place = require "practice.place"

local SLOW_FOR = "5s"

experiment "the shop survives a slow cache" {
  owner        = "shop",
  hypothesis   = "95 % of the pages are there within 500 ms while redis answers 50 ms late",
  steady_state = {
    every    = "500ms",
    warmup   = "2s",
    recovery = "15s",
    metrics  = {
      error_rate = metric.http {
        url = place.web_shop, netns = place.web, rate = "10/s", below = "1%", abort_above = "20%",
      },
      p95 = metric.http {
        url = place.web_shop, netns = place.web, rate = "10/s", measure = "p95", below = "500ms",
      },
    },
  },
  blast_radius = { max_duration = "1m" },

  run = function()
    local slow = inject(fault.network.latency {
      target    = target.netns { name = place.web },
      to        = place.cache,
      direction = "egress",
      delay     = "50ms",
      jitter    = "10ms",
    })
    wait(SLOW_FOR)
    -- A delay that nobody sees proves nothing about the shop.
    check_metric(metric.tcp {
      address = place.cache, netns = place.web, rate = "20/s", window = "1s", measure = "p50", above = "40ms",
    })
    rollback(slow)
  end,
}
