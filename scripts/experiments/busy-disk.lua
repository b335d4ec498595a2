-- Hypothesis:   the shop answers every request while a neighbour reads and writes.
-- Blast radius: 8 MB/s of reads and of writes at place.scratch, a file system in memory, for 3 s. Needs root, who made
--               it.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal.

local place = require "practice.place"

experiment "the shop bears a busy disk" {
  owner        = "shop",
  hypothesis   = "no request fails while a neighbour reads and writes",
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
    -- A file system in memory has no cache to pass by.
    local busy = inject(fault.disk.io {
      target = target.host {}, path = place.scratch,
      read = "8MB/s", write = "8MB/s", file_size = "8MiB", direct = false,
    })
    wait "3s"
    check_metric("error_rate < 1%")
    rollback(busy)
  end,
}
