-- Hypothesis:   the shop shows its page without a greeting when the name of its redis leads to where nobody is.
-- Blast radius: the DNS queries of one network namespace for one name, for 4 s. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when a fifth of the
--               requests fail.

local place = require "practice.place"

experiment "the shop survives a wrong address" {
  owner        = "shop",
  hypothesis   = "the page is there within 500 ms although its redis seems to be elsewhere",
  steady_state = {
    every    = "500ms",
    warmup   = "2s",
    recovery = "10s",
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
  faults       = {
    fault.dns.spoof {
      target    = target.netns { name = place.web },
      names     = place.cache_name,
      addresses = "10.99.0.99",
    },
  },
  duration     = "4s",
}
