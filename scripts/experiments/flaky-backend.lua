-- Hypothesis:   nginx hides a backend that fails a tenth of the requests. It does not: this experiment shows an abort
--               by design, and ends with exit code 3.
-- Blast radius: a tenth of the HTTP requests from one network namespace to one port, until more than a twentieth of
--               all have failed, at most 30 s. Needs root.
-- How to abort: it aborts by itself; Ctrl-C here, or `moonquake abort` in another terminal, is faster.

local place = require "practice.place"

experiment "the proxy hides a flaky backend" {
  owner        = "web",
  hypothesis   = "less than 5 % of the requests fail while the backend fails 10 % of its requests",
  steady_state = {
    every    = "500ms",
    warmup   = "2s",
    recovery = "10s",
    metrics  = {
      error_rate = metric.http {
        url = place.web_proxy, netns = place.web, rate = "200/s", window = "1s", below = "5%",
      },
    },
  },
  blast_radius = { max_duration = "1m" },

  run = function()
    abort_if("error_rate > 5%")
    inject(fault.http.error {
      target    = target.netns { name = place.web },
      port      = 8082,
      direction = "egress",
      traffic   = "10%",
      status    = 503,
    })
    wait "30s"
  end,
}
