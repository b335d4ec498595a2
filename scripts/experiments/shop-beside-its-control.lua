-- Hypothesis:   the shop's pages take less than half a second while redis is paused. How much later they are than
--               before, and than those of nginx, which is left alone, is in the report: statistics of before and
--               during, and of the control.
-- Blast radius: one redis process, for 5 s. Needs no root for a redis of your own.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal.

local place = require "practice.place"

experiment "the shop without redis beside a control" {
  owner        = "shop",
  hypothesis   = "the shop's 95th percentile stays below 500 ms, and nginx's is what it was",
  steady_state = {
    -- At least 8 samples on each side, or there are too few to compare.
    every    = "250ms",
    warmup   = "4s",
    recovery = "20s",
    metrics  = {
      shop  = metric.http {
        url = place.shop, rate = "10/s", measure = "p95", window = "1s", below = "500ms", control = "nginx",
      },
      nginx = metric.http { url = place.nginx, rate = "10/s", measure = "p95", window = "1s" },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  faults       = { fault.process.pause { target = target.process { port = place.redis_port } } },
  duration     = "5s",
}
