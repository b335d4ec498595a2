-- Tests of ../experiments/nginx-paused-worker.lua on a simulated machine: what the experiment says when nginx copes,
-- when it does not, and when everything fails. Nothing of this machine is touched, and no time is waited for.
--
--   moonquake test scripts/tests/*_test.lua

local script = "../experiments/nginx-paused-worker.lua"

-- Two workers on the practice port, as scripts/practice.sh starts them.
local machine = {
  processes = { nginx = { count = 2, command = "nginx: worker process", port = 18080 } },
}

--- What share of the workers is stopped.
local function stopped(now) return 1 - (now.running.nginx or 0) / 2 end

test("nginx that copes with one worker holds", function(t)
  local run = t.run(script, { machine = machine, metrics = { error_rate = 0, p95 = "20ms" } })
  t.equal(run.verdict, "held")
  t.equal(run.restoration, "restored")
  t.equal(#run.faults, 1, "half of two workers")
  t.equal(run.faults[1].name, "process.pause")
  -- Virtual times are exact: 2 s of warm-up, then 4 s of pause.
  t.equal(run.faults[1].injected_ms, 2000)
  t.equal(run.faults[1].reverted_ms, 6000)
end)

test("requests that wait for the paused worker make it deviate", function(t)
  local run = t.run(script, {
    machine = machine,
    metrics = { error_rate = 0, p95 = function(now) return 0.02 + stopped(now) end },
  })
  t.equal(run.verdict, "deviated")
  t.equal(run.status, "completed")
  t.contains(run.reasons[1], "p95 is 520ms, must be below 300ms")
end)

test("it is aborted when most requests fail", function(t)
  local run = t.run(script, {
    machine = machine,
    metrics = { error_rate = function(now) return stopped(now) > 0 and "80%" or 0 end, p95 = "20ms" },
  })
  t.equal(run.status, "aborted")
  t.equal(run.exit_code, 3)
  t.ok(run.faults[1].reverted_ms < 6000, "not after the whole pause")
end)

test("nothing is paused while nginx is not well", function(t)
  local run = t.run(script, { machine = machine, metrics = { error_rate = "7%", p95 = "20ms" } })
  t.equal(run.exit_code, 5)
  t.equal(#run.faults, 0)
end)

test("whatever becomes of the agent, the worker runs again", function(t)
  local run = t.run(script, {
    machine = machine,
    metrics = { error_rate = 0, p95 = "20ms" },
    at = { ["3s"] = function(m) m.agent_dies() end },
  })
  t.equal(run.status, "failed")
  t.equal(run.restoration, "restored")
  t.contains(run.proof.reverts[1], "runs again")
end)

test("where nginx has one worker, half of them is none", function(t)
  local run = t.run(script, {
    machine = { processes = { nginx = { command = "nginx: worker process", port = 18080 } } },
    metrics = { error_rate = 0, p95 = "20ms" },
  })
  t.equal(run.exit_code, 2)
  t.contains(run.reasons[1], "50% of 1")
end)
