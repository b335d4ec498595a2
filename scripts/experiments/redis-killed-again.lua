-- Hypothesis:   clients can connect to a redis that is killed every 300 ms, since its supervisor starts it again. They
--               cannot: a supervisor that is quick enough for one kill is not for ten.
-- Blast radius: one redis process at a time, and what it had in memory. Needs no root for a redis of your own.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal; what was killed stays killed, the rollback
--               only checks that the supervisor brought it back.

local place = require "practice.place"

experiment "redis comes back again and again" {
  owner        = "cache",
  hypothesis   = "four of five connections are made while redis is killed every 300 ms",
  steady_state = {
    every    = "250ms",
    warmup   = "1s",
    recovery = "10s",
    metrics  = {
      refused = metric.tcp { address = place.redis, rate = "20/s", window = "1s", below = "20%" },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  run = function()
    inject(fault.process.kill {
      target  = target.process { port = place.redis_port },
      every   = "300ms",
      restart = "supervised",
    })
    wait "3s"
  end,
}
