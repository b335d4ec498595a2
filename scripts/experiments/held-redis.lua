-- Hypothesis:   the shop answers without its redis while redis is held: connections open, but nobody answers.
-- Blast radius: one redis process, for 3 s. Needs no root for a redis of your own. By ptrace: the kernel lets redis go
--               when the agent ends, even by kill -9, and no parent is told that its child was stopped.
-- How to abort: Ctrl-C here, or `moonquake abort` in another terminal.

local place = require "practice.place"

experiment "the shop answers while redis is held" {
  owner        = "cache",
  hypothesis   = "99 % of the requests are answered while redis answers nothing",
  steady_state = {
    every   = "500ms",
    warmup  = "1s",
    metrics = {
      error_rate = metric.http { url = place.shop, rate = "10/s", below = "1%" },
    },
  },
  blast_radius = { targets = 1, max_duration = "30s" },

  run = function()
    local held <close> = inject(fault.process.pause {
      target = target.process { port = place.redis_port }, method = "ptrace",
    })
    wait "3s"
    check_metric("error_rate < 1%")
    log("held until here:", held.targets[1])
  end,
}
