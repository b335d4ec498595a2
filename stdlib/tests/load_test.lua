-- Tests of moonquake.load.

test("each measure is a metric with its thresholds", function(t)
  local run = t.run("load.lua", { metrics = { error_rate = 0, p95 = "20ms", db_p50 = "1ms" } })
  t.equal(run.verdict, "held")
  t.equal(#run.metrics, 3)
  t.equal(run.metrics.p95.healthy, { below = 0.3 })
  t.equal(run.metrics.error_rate.tolerated.between[2], 0.2)
  t.equal(run.metrics.db_p50.healthy, nil)
  t.equal(run.metrics.db_p50.source, "tcp")
end)

test("a threshold of a measure is judged", function(t)
  local slow = { error_rate = 0, p95 = function(now) return now.faults.noop and "400ms" or "20ms" end, db_p50 = 0 }
  t.equal(t.run("load.lua", { metrics = slow }).verdict, "deviated")
  local broken = { error_rate = function(now) return now.faults.noop and 1 or 0 end, p95 = 0, db_p50 = 0 }
  t.equal(t.run("load.lua", { metrics = broken }).exit_code, 3)
end)
