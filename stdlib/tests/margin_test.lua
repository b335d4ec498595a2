-- Tests of moonquake.patterns.ramp.

--- A page that asks the database `questions` times one after the other.
local function page(questions)
  return function(now)
    local slow = now.faults["network.latency"]
    return 0.02 + questions * (slow and slow.delay or 0)
  end
end

--- The texts of one kind on the time line.
local function said(run, kind)
  local texts = {}
  for _, event in ipairs(run.timeline) do
    if event.kind == kind then table.insert(texts, event.text) end
  end
  return texts
end

test("the margin is found, and what is beyond it does not count", function(t)
  local run = t.run("margin.lua", { metrics = { p95 = page(2) } })
  t.equal(run.verdict, "held", "100 ms are survived, and no more was asked for")
  -- 20 ms + 2 * 140 ms is not less than 300 ms.
  t.equal(said(run, "observation"), {
    "p95 < 300ms holds up to 130ms and breaks at 140ms: a margin of +30ms to the 100ms asked for",
  })
  t.ok(#run.faults <= 8, "a bisection")
  t.equal(#run.checks, 1)
  t.equal(run.restoration, "restored")
end)

test("less than what is asked for fails the hypothesis, and the margin is still told", function(t)
  local run = t.run("margin.lua", { metrics = { p95 = page(5) } })
  t.equal(run.verdict, "deviated")
  t.equal(said(run, "observation"), {
    "p95 < 300ms holds up to 50ms and breaks at 60ms: a margin of -50ms to the 100ms asked for",
  })
end)

test("what never breaks is told so after two tries", function(t)
  local run = t.run("margin.lua", { metrics = { p95 = "10ms" } })
  t.equal(run.verdict, "held")
  t.equal(#run.faults, 2)
  t.contains(said(run, "observation")[1], "holds up to 500ms, the greatest that was tried")
end)

test("a system that does not recover between two tries aborts the run", function(t)
  local hurt = false
  local run = t.run("margin.lua", { metrics = {
    p95 = function(now)
      hurt = hurt or now.faults["network.latency"] ~= nil
      return hurt and 1 or 0.02
    end,
  } })
  t.equal(run.status, "aborted")
  t.contains(run.abort.reason, "not healthy again 30s after a fault of 100ms")
  t.equal(run.restoration, "restored")
end)

test("units must be the same, and a step must be one", function(t)
  for step, message in pairs { ["1s"] = "step must have the unit of to (500ms), got 1s", ["0ms"] = "more than 0" } do
    local run = t.run("margin.lua", { params = { step = step }, metrics = { p95 = 0 } })
    t.equal(run.exit_code, 2)
    t.contains(run.error.message, message)
  end
end)
