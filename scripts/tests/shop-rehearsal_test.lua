-- Tests of ../gamedays/shop-rehearsal.lua on a simulated machine: its order, its gate, and what ends it early.

local playbook = "../gamedays/shop-rehearsal.lua"

--- What the metrics of all five experiments are: those of a shop that copes, with some changed.
local function metrics(changes)
  local values = {
    error_rate = 0,
    p95        = "20ms",
    sessions   = 0,
    -- The probes by which the experiments see that their fault is there.
    tcp = function(now) return now.faults["network.partition"] and 1 or 0 end,
    p50 = function(now)
      local slow = now.faults["network.latency"]
      return 0.001 + (slow and slow.delay or 0)
    end,
  }
  for name, value in pairs(changes or {}) do values[name] = value end
  return values
end

test("five experiments pass, in their order", function(t)
  local day = t.gameday(playbook, { metrics = metrics() })
  t.equal(day.reasons, {})
  t.equal(day.passed, true)
  local titles = {}
  for _, run in ipairs(day.runs) do table.insert(titles, run.definition.name) end
  t.equal(#titles, 5)
  t.equal(titles[1], "the shop survives a slow cache")
  t.equal(titles[5], "nginx survives a paused worker")
  t.equal(day.gates[1].outcome, "approved")
end)

test("one person is asked, and nothing is touched after a no", function(t)
  local asked = {}
  local day = t.gameday(playbook, {
    metrics = metrics(),
    approve = function(subject)
      table.insert(asked, subject)
      return false
    end,
  })
  t.equal(asked, { "the GameDay \"the shop's rehearsal\"" })
  t.equal(day.exit_code, 3)
  t.equal(#day.runs, 0)
end)

test("a gate that nobody answers is closed after a quarter of an hour", function(t)
  local day = t.gameday(playbook, { metrics = metrics(), approve = function() end })
  t.equal(day.gates[1].outcome, "expired")
  t.near(day.gates[1].decided_at - day.gates[1].gate.opened_at, 15 * 60, 0.001)
end)

test("an experiment that is aborted ends the day, with everything put back", function(t)
  local day = t.gameday(playbook, {
    metrics = metrics { error_rate = function(now) return now.faults["network.partition"] and 0.5 or 0 end },
  })
  t.equal(day.status, "halted")
  t.equal(#day.runs, 2)
  t.equal(day.runs[2].status, "aborted")
  t.equal(day.runs[2].restoration, "restored")
  t.equal(day.experiments[3].outcome, "skipped")
end)
