-- Hypothesis:   the shop answers every request while a disk beside it is full.
-- Blast radius: the file system at place.scratch, 64 MiB in memory, for 3 s. Needs root, who made it.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal.

local place = require "practice.place"

experiment "the shop bears a full disk" {
  owner        = "shop",
  hypothesis   = "no request fails while nothing can be written beside the shop",
  steady_state = {
    every    = "500ms",
    warmup   = "1s",
    recovery = "15s",
    metrics  = {
      error_rate = metric.http { url = place.shop, rate = "10/s", below = "1%", abort_above = "20%" },
    },
  },
  blast_radius = { max_duration = "30s" },

  run = function()
    local fill = inject(fault.disk.fill { target = target.host {}, path = place.scratch, to = "98%" })
    wait "3s"
    -- A disk that is not full proves nothing: fewer blocks than two in a hundred are available.
    check_metric(metric.command {
      run = { "/usr/bin/stat", "--file-system", "--format=%a", place.scratch }, below = 400,
    })
    rollback(fill)
  end,
}
