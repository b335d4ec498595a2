-- Hypothesis:   pages through the proxy are there within 500 ms although the backend answers 100 ms late.
-- Blast radius: the HTTP requests from one network namespace to one port, for 4 s. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when a fifth of the
--               requests fail.

local place = require "practice.place"

experiment "the proxy survives a slow backend" {
  owner        = "web",
  hypothesis   = "95 % of the pages are there within 500 ms while the backend answers 100 ms late",
  steady_state = {
    every    = "500ms",
    warmup   = "2s",
    recovery = "15s",
    metrics  = {
      error_rate = metric.http {
        url = place.web_proxy, netns = place.web, rate = "20/s", below = "1%", abort_above = "20%",
      },
      p95 = metric.http {
        url = place.web_proxy, netns = place.web, rate = "20/s", measure = "p95", below = "500ms",
      },
    },
  },
  blast_radius = { max_duration = "1m" },

  run = function()
    local slow = inject(fault.http.latency {
      target    = target.netns { name = place.web },
      port      = 8082,
      direction = "egress",
      delay     = "100ms",
    })
    wait "4s"
    -- A delay that nobody sees proves nothing about the proxy.
    check_metric(metric.http {
      url = place.web_proxy, netns = place.web, rate = "20/s", window = "1s", measure = "p50", above = "90ms",
    })
    rollback(slow)
  end,
}
