-- Hypothesis:   the shop stays up in the eyes of Prometheus while it is paused. It does not: this experiment shows an
--               abort by a metric of Prometheus, and ends with exit code 3.
-- Blast radius: the one process of the shop, until Prometheus has missed it, at most 20 s. Needs no root.
-- How to abort: it aborts by itself; Ctrl-C here, or `moonquake abort` in another terminal, is faster.

local place = require "practice.place"

experiment "Prometheus keeps seeing the paused shop" {
  owner        = "monitoring",
  hypothesis   = "up stays 1 while the process is paused",
  steady_state = {
    every    = "500ms",
    warmup   = "1s",
    recovery = "10s",
    metrics  = {
      up = metric.prometheus {
        server          = place.prometheus,
        query           = [[up{job="shop"}]],
        scrape_interval = "1s",
        equals          = 1,
        abort_below     = 1,
      },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  -- No script of its own: the faults stay on for the duration.
  faults       = { fault.process.pause { target = target.process { port = place.shop_port } } },
  duration     = "20s",
}
