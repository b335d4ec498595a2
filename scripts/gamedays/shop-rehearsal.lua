-- Five experiments on the shop of scripts/practice.sh, one after the other, each after the shop was seen to be well.
-- Blast radius: that of each experiment; one of them runs at a time. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal; the rest is skipped then.
--
--   moonquake gameday run scripts/gamedays/shop-rehearsal.lua
--   moonquake approve                 in another terminal, or "yes" in this one

local place = require "practice.place"

gameday "the shop's rehearsal" {
  owner       = "shop",
  description = "What the shop does when its cache is slow, gone or half deaf, and when a server of its own hangs.",
  experiments = {
    "slow-cache", "cache-partition", "one-way-partition", "paused-redis", "nginx-paused-worker",
  },

  approval         = "day",
  approvers        = 1,
  approval_timeout = "15m",

  pause    = "1s",
  recovery = "1m",
  health   = steady_state {
    every   = "500ms",
    metrics = {
      error_rate = metric.http { url = place.web_shop, netns = place.web, rate = "10/s", below = "1%" },
    },
  },

  -- Your chat: notify = { notify.webhook "https://hooks.example.org/…" },

  -- `moonquake gameday schedule` and `moonquake gameday daemon` take it from here.
  schedule = {
    every = "week", on = "tuesday", at = "10:00", zone = "Europe/Oslo", only_between = "09:00-16:00",
  },
}
