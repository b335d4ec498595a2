-- Tests of moonquake.retry.

--- The lines of the script, with the seconds of the run at which they came.
local function lines(run)
  local texts = {}
  for _, event in ipairs(run.timeline) do
    if event.kind == "log" then table.insert(texts, ("%g %s"):format(event.offset_ms / 1000, event.text)) end
  end
  return texts
end

test("the pauses grow up to the longest, and what works ends it", function(t)
  local run = t.run("retry.lua", { metrics = { ready = function(now) return now.time >= 9 and 2 or 1 end } })
  t.equal(run.verdict, "held")
  local told = lines(run)
  t.equal(#told, 8)
  t.equal(told[1], "0 try\t1")
  t.equal(told[2], "0 try 1 of 4 failed: no result")
  t.equal(told[3], "1 try\t2")
  t.contains(told[4], "on purpose")
  t.equal(told[5], "4 try\t3")
  t.equal(told[7], "9 try\t4")
  t.equal(told[8], "9 result\tthere")
end)

test("the last failure is the script's error", function(t)
  local run = t.run("retry.lua", { params = { times = 2 }, metrics = { ready = 1 } })
  t.equal(run.exit_code, 2)
  t.contains(run.error.message, "on purpose")
  run = t.run("retry.lua", { params = { times = 3 }, metrics = { ready = 1 } })
  t.contains(run.error.message, "no result after 3 tries")
end)

test("Ctrl-C is no failure to try again after", function(t)
  local run = t.run("retry.lua", { metrics = { ready = 1 }, at = { ["500ms"] = function(m) m.interrupt() end } })
  t.equal(run.exit_code, 130)
  t.equal(#lines(run), 2)
end)
