-- Hypothesis:   19 of 20 pages of the shop take less than half a second while redis is paused, by the shop's own
--               figures: the histogram of its /metrics page, which is read without a Prometheus server.
-- Blast radius: one redis process, for 4 s. Needs no root for a redis of your own.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when pages take a second.

local place = require "practice.place"
local page = place.shop .. "metrics"

experiment "the shop is quick without redis, as it tells itself" {
  owner        = "shop",
  hypothesis   = "the 95th percentile of the shop's own page times stays below 500 ms while redis is paused",
  steady_state = {
    every    = "500ms",
    warmup   = "2s",
    recovery = "20s",
    metrics  = {
      -- Somebody must ask for pages, or the histogram is empty.
      visitors = metric.http { url = place.shop, rate = "10/s" },
      page_p95 = metric.scrape {
        url = page, name = "shop_page_seconds", measure = "p95", window = "2s", below = "500ms", abort_above = "1s",
      },
      pages    = metric.scrape {
        url = page, name = "shop_requests_total", measure = "rate", window = "2s", above = "1/s",
      },
      open     = metric.scrape { url = page, name = "shop_pages_open", below = 50 },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  faults       = { fault.process.pause { target = target.process { port = place.redis_port } } },
  duration     = "4s",
}
