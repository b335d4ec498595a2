-- Hypothesis:   redis is killed twice, and each time clients can connect again within 3 s.
-- Blast radius: one redis process, and what it had in memory. Needs no root for a redis of your own.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal; what was killed stays killed, the rollback
--               only checks that the supervisor brought it back.

local patterns = require "moonquake.patterns"
local place = require "practice.place"

local BACK_WITHIN = "3s"

experiment "redis recovers twice" {
  owner        = "cache",
  hypothesis   = "clients can connect again within " .. BACK_WITHIN .. " of each of two kills",
  steady_state = {
    every    = "200ms",
    warmup   = "1s",
    recovery = "10s",
    metrics  = {
      -- No threshold of its own: the pattern judges it. The window is short, so that what is over does not count long.
      refused = metric.tcp { address = place.redis, rate = "20/s", window = "1s" },
    },
  },
  blast_radius = { targets = 1, max_duration = "1m" },

  run = function()
    patterns.kill_one {
      target    = target.process { port = place.redis_port },
      recovered = "refused < 1%",
      within    = BACK_WITHIN,
      times     = 2,
      pause     = "1s",
      kill      = { restart = "supervised", restart_within = BACK_WITHIN },
    }
  end,
}
