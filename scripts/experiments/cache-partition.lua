-- Hypothesis:   the shop does without its redis when the network between them is cut, and uses it again at most 2 s
--               after the cut has healed.
-- Blast radius: all packets between one network namespace and one address and port, both ways, for 5 s. Needs root.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal. It aborts by itself when a fifth of the
--               requests fail.

local place = require "practice.place"

local CUT     = "5s"
local BACK_IN = "2s"

-- A probe of redis as the shop sees it.
local function cache(healthy)
  healthy.address, healthy.netns = place.cache, place.web
  healthy.rate, healthy.timeout, healthy.window = "20/s", "200ms", "1s"
  return metric.tcp(healthy)
end

experiment "the shop survives a partition from its cache" {
  owner        = "shop",
  hypothesis   = "the page is there within 500 ms without redis, and redis is used again " .. BACK_IN .. " after",
  steady_state = {
    every    = "500ms",
    warmup   = "2s",
    recovery = "10s",
    metrics  = {
      error_rate = metric.http {
        url = place.web_shop, netns = place.web, rate = "10/s", below = "1%", abort_above = "20%",
      },
      p95 = metric.http {
        url = place.web_shop, netns = place.web, rate = "10/s", measure = "p95", below = "500ms",
      },
    },
  },
  blast_radius = { max_duration = "1m" },

  run = function()
    local cut = inject(fault.network.partition {
      target   = target.netns { name = place.web },
      to       = place.cache,
      protocol = "tcp",
    })
    wait(CUT)
    -- A partition that lets packets through proves nothing about the shop.
    check_metric(cache { above = "99%" })
    rollback(cut)
    wait(BACK_IN)
    check_metric(cache { below = "1%" })
  end,
}
