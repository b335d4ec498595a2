-- Hypothesis:   the shop answers when it can open no more files. It cannot: every connection is one.
-- Blast radius: the shop, for some seconds. Needs no root for a shop of your own.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when half of the requests
--               fail.

local place = require "practice.place"

local shop = target.process { port = place.shop_port }

experiment "the shop answers without descriptors" {
  owner        = "shop",
  hypothesis   = "every request is answered while the shop has no descriptor left",
  steady_state = {
    every    = "250ms",
    warmup   = "1s",
    recovery = "15s",
    metrics  = {
      errors = metric.http {
        url = place.shop, rate = "20/s", timeout = "500ms", window = "1s", below = "1%", abort_above = "50%",
      },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  run = function()
    inject(fault.fd.exhaust { target = shop })
    wait "15s"
  end,
}
