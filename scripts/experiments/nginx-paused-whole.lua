-- Hypothesis:   nginx answers while its master process is paused. It would, if that were all: with its workers paused
--               too it cannot.
-- Blast radius: one nginx, its workers included, for at most 10 s. Needs no root for an nginx of your own.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when more than half of
--               the requests fail.

local place = require "practice.place"

-- The port tells the master of this nginx from that of any other on the machine.
local master = target.process { command = "nginx: master", port = place.nginx_port }

experiment "nginx survives a pause of all its processes" {
  owner        = "web",
  hypothesis   = "99 % of the requests are answered while the whole nginx is paused",
  steady_state = {
    every    = "250ms",
    warmup   = "1s",
    recovery = "15s",
    metrics  = {
      error_rate = metric.http {
        url = place.nginx, rate = "20/s", window = "1s", timeout = "500ms", below = "1%", abort_above = "50%",
      },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  run = function()
    inject(fault.process.pause { target = master, children = true })
    wait "10s"
  end,
}
