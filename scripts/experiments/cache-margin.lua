-- Hypothesis:   95 % of the pages are there within 170 ms while redis answers up to 40 ms late; by how much more it may
--               be late is found by bisection, up to 160 ms, and does not count.
-- Blast radius: packets from one network namespace to one address and port, for some 2 s each time. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when pages fail.

local patterns = require "moonquake.patterns"
local place = require "practice.place"

experiment "how late may the cache be?" {
  owner        = "shop",
  hypothesis   = "95 % of the pages are there within 170 ms while redis answers up to 40 ms late",
  steady_state = {
    every    = "500ms",
    warmup   = "2s",
    recovery = "10s",
    metrics  = {
      error_rate = metric.http {
        url = place.web_shop, netns = place.web, rate = "10/s", below = "1%", abort_above = "20%",
      },
      -- No threshold of its own: the pattern judges it, and looks beyond what the hypothesis says.
      p95 = metric.http { url = place.web_shop, netns = place.web, rate = "20/s", window = "1s", measure = "p95" },
    },
  },
  blast_radius = { max_duration = "30s" },

  run = function()
    patterns.ramp {
      fault = function(delay)
        return fault.network.latency {
          target = target.netns { name = place.web }, to = place.cache, direction = "egress", delay = delay,
        }
      end,
      holds    = "p95 < 170ms",
      at_least = "40ms",
      to       = "160ms",
      step     = "30ms",
      settle   = "2s",
      recover  = "10s",
    }
  end,
}
