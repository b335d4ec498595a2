-- Hypothesis:   nginx hides the loss of its only backend. It does not: this experiment shows an abort by design, and
--               ends with exit code 3.
-- Blast radius: all packets between one network namespace and one address and port, until a fifth of the requests
--               have failed, at most 30 s. Needs root.
-- How to abort: it aborts by itself; Ctrl-C here, or `moonquake abort` in another terminal, is faster.

local place = require "practice.place"

experiment "the proxy hides the loss of its backend" {
  owner        = "web",
  hypothesis   = "less than 5 % of the requests fail while the backend cannot be reached",
  steady_state = {
    every    = "200ms",
    warmup   = "2s",
    recovery = "10s",
    metrics  = {
      error_rate = metric.http {
        url = place.web_proxy, netns = place.web, rate = "20/s", window = "2s", below = "5%",
      },
    },
  },
  blast_radius = { max_duration = "1m" },

  run = function()
    abort_if("error_rate > 20%")
    inject(fault.network.partition {
      target   = target.netns { name = place.web },
      to       = place.backend,
      protocol = "tcp",
    })
    wait "30s"
  end,
}
