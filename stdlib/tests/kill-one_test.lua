-- Tests of moonquake.patterns.kill_one.

local machine = { processes = { worker = { count = 2, supervised = true } } }

--- Errors for so many seconds after each kill.
local function errors_for(seconds)
  local killed, seen = -math.huge, 0
  return function(now)
    local kill = now.faults["process.kill"]
    if kill and seen == 0 then killed = now.time end
    seen = kill and 1 or 0
    return now.time - killed < seconds and 0.5 or 0
  end
end

test("each recovery is waited for and measured", function(t)
  local run = t.run("kill-one.lua", { machine = machine, metrics = { errors = errors_for(3) } })
  t.equal(run.verdict, "held")
  t.equal(#run.faults, 3)
  t.equal(#run.checks, 3, "what is only looked at is no check")
  for _, check in ipairs(run.checks) do t.near(check.took_ms, 3000, 600) end
  t.contains(run.journal[#run.journal], "closed")
end)

test("a recovery that takes too long fails the hypothesis and is the last", function(t)
  local run = t.run("kill-one.lua", {
    machine = machine, params = { within = "2s" }, metrics = { errors = errors_for(5) },
  })
  t.equal(run.verdict, "deviated")
  t.equal(#run.faults, 1)
  t.contains(run.reasons[1], "errors < 1% did not hold")
end)

test("a kill that no metric notices takes no time", function(t)
  local run = t.run("kill-one.lua", { machine = machine, params = { times = 1 }, metrics = { errors = 0 } })
  t.equal(run.verdict, "held")
  local said = {}
  for _, event in ipairs(run.timeline) do
    if event.kind == "observation" then table.insert(said, event.text) end
  end
  t.equal(said, { "errors < 1% held again after 1 of 1 kills; the slowest took 0.0 s" })
end)
