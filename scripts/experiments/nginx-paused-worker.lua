-- Hypothesis:   nginx answers every request in time while one of its two workers is paused.
-- Blast radius: half of the worker processes (one of two), for 4 s. Needs no root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when more than half of
--               the requests fail.

local place = require "practice.place"

local PAUSE = "4s"

-- The port tells the workers of this nginx from those of any other on the machine.
local worker = target.process { command = "nginx: worker", port = place.nginx_port }

experiment "nginx survives a paused worker" {
  owner        = "web",
  hypothesis   = "every request is answered, 95 % within 300 ms, while one of two workers is paused",
  steady_state = {
    every   = "500ms",
    warmup  = "2s",
    metrics = {
      error_rate = metric.http { url = place.nginx, rate = "20/s", below = "1%", abort_above = "50%" },
      p95        = metric.http { url = place.nginx, rate = "20/s", measure = "p95", below = "300ms" },
    },
  },
  blast_radius = { targets = "50%", max_duration = "30s" },

  run = function()
    local pause = inject(fault.process.pause { target = worker })
    observe("half of the workers are paused; the others take over their connections")
    wait(PAUSE)
    check_metric("error_rate < 1%")
    rollback(pause)
  end,
}
