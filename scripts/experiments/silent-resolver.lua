-- Hypothesis:   the shop shows its page late, but in time, when its resolver does not answer at all.
-- Blast radius: the DNS queries of one network namespace but for one name, over UDP, TCP and TLS, for 4 s. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when a fifth of the
--               requests fail.

local place = require "practice.place"

experiment "the shop survives a silent resolver" {
  owner        = "shop",
  hypothesis   = "the page is there within 1.8 s although no query for its redis is answered",
  steady_state = {
    every    = "500ms",
    warmup   = "2s",
    recovery = "10s",
    metrics  = {
      error_rate = metric.http {
        url = place.web_shop, netns = place.web, rate = "10/s", timeout = "3s", below = "1%", abort_above = "20%",
      },
      p95 = metric.http {
        url = place.web_shop, netns = place.web, rate = "10/s", timeout = "3s",
        measure = "p95", below = "1800ms",
      },
    },
  },
  blast_radius = { max_duration = "1m" },
  faults       = {
    fault.dns.drop {
      target = target.netns { name = place.web },
      names  = "*",
      except = "status.shop.test",
      dot    = "drop",
    },
  },
  duration     = "4s",
}
