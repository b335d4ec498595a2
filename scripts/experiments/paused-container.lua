-- Hypothesis:   the shop does not need the batch job: it answers as always while the job's container is paused.
-- Blast radius: the processes of one container, for 3 s. Needs root, and Docker or Podman.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when a fifth of the
--               shop's requests fail.

local place = require "practice.place"

-- Every process of the container is stopped, and the container counts as one target.
local batch = target.container { label = "app=batch", socket = place.engine }

experiment "the shop survives a stuck batch job" {
  owner        = "shop",
  hypothesis   = "every request to the shop is answered while the batch job's container is paused",
  steady_state = {
    every    = "500ms",
    warmup   = "1s",
    recovery = "15s",
    metrics  = {
      error_rate = metric.http { url = place.shop, rate = "10/s", below = "1%", abort_above = "20%" },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  run = function()
    local pause = inject(fault.process.pause { target = batch })
    wait "3s"
    -- A job that still answers was not stuck.
    check_metric(metric.http {
      url = place.batch, rate = "10/s", timeout = "200ms", window = "1s", above = "90%",
    })
    rollback(pause)
  end,
}
