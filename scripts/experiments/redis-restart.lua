-- Hypothesis:   redis is killed, its supervisor brings it back, and clients can connect again within 3 s.
-- Blast radius: one redis process, and what it had in memory. Needs no root for a redis of your own.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal; what was killed stays killed, the rollback
--               only checks that the supervisor brought it back.

local place = require "practice.place"

local BACK_WITHIN = "3s"

experiment "redis comes back by its supervisor" {
  owner        = "cache",
  hypothesis   = "clients can connect again within " .. BACK_WITHIN .. " of the kill",
  steady_state = {
    every    = "200ms",
    warmup   = "1s",
    recovery = "10s",
    metrics  = {
      -- The window is short so that what is over does not count for long.
      refused = metric.tcp {
        address = place.redis, rate = "20/s", window = "1s", below = "5%", for_at_least = BACK_WITHIN,
      },
      alive = metric.process {
        target = target.process { port = place.redis_port }, measure = "alive", above = 0, for_at_least = BACK_WITHIN,
      },
    },
  },
  blast_radius = { targets = 1, max_duration = "1m" },

  run = function()
    inject(fault.process.kill {
      target         = target.process { port = place.redis_port },
      restart        = "supervised",
      restart_within = BACK_WITHIN,
    })
    wait "4s"
    check_metric(metric.tcp { address = place.redis, rate = "20/s", window = "1s", below = "1%" })
  end,
}
