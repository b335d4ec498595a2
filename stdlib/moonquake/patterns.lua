-- Patterns of experiments: kill one and wait for recovery; make a fault stronger until the hypothesis deviates. They
-- are called in the body of an experiment, and are made of the same verbs that are there.

local quantity = require "moonquake.quantity"

local M = {}

---@class moonquake.kill_one
---@field target moonquake.Target Whom to kill; with `count = 1`, unless there is only one.
---@field recovered string The condition that holds when all is well: "errors < 1%".
---@field within? string How long recovery may take; "30s".
---@field notice? string How long it may take until a metric shows the kill; "2s".
---@field times? integer How often to kill; 1.
---@field pause? string How long to wait after each recovery; "5s".
---@field kill? table Further options of `fault.process.kill`, such as `restart`.

---@class moonquake.Recovery
---@field took number[] How long each recovery took, in seconds; 0 where no metric noticed.
---@field worst number The longest.
---@field held boolean Whether all recovered in time.

---Kills one, waits until a condition holds again, and does that again. A recovery that takes too long fails the
---hypothesis and is the last.
---@param options moonquake.kill_one
---@return moonquake.Recovery
function M.kill_one(options)
  local known = { "target", "recovered", "within", "notice", "times", "pause", "kill" }
  quantity.check(options, known, "kill_one")
  if not options.target or not options.recovered then
    error("kill_one: target and recovered are missing: write kill_one { target = …, recovered = \"errors < 1%\" }", 2)
  end
  local within, times = options.within or "30s", options.times or 1
  local recovery = { took = {}, worst = 0, held = true }
  for turn = 1, times do
    local kill = { target = options.target }
    for key, value in pairs(options.kill or {}) do kill[key] = value end
    local killed = inject(fault.process.kill(kill))
    -- What was sampled before the kill says nothing: first it must be noticed.
    local noticed = check_metric("not (" .. options.recovered .. ")", {
      within = options.notice or "2s", counts = false,
    })
    local back = check_metric(options.recovered, { within = within })
    local took = noticed.held and noticed.took + back.took or 0
    table.insert(recovery.took, took)
    recovery.worst = math.max(recovery.worst, took)
    recovery.held = back.held == true
    rollback(killed)
    if not recovery.held then break end
    if turn < times then wait(options.pause or "5s") end
  end
  observe(("%s%s after %d of %d kills; the slowest took %.1f s"):format(
    options.recovered, recovery.held and " held again" or " did not hold again in time", #recovery.took, times,
    recovery.worst
  ))
  return recovery
end

---@class moonquake.ramp
---@field fault fun(strength: string): moonquake.Fault Makes the fault of a strength, such as "120ms".
---@field from? string A strength that is known to hold; zero unless given.
---@field to string The greatest strength to try.
---@field step string How near the answer is to be.
---@field holds string The condition that must hold: "p95 < 300ms". Its metrics should have no thresholds of their own.
---@field at_least? string The strength that must be survived: below it, what does not hold fails the hypothesis.
---@field settle? string How long a fault is on before it is judged; "5s".
---@field recover? string How long recovery may take between two tries; "30s".

---@class moonquake.Margin
---@field holds string The greatest strength at which the condition held.
---@field breaks? string The least strength at which it did not; nil when it held at `to`.
---@field margin? string How far `holds` is above `at_least`, with a sign; nil without `at_least`.
---@field tries integer How many strengths were tried.

--- One strength: whether the condition holds under it. What the system does not recover from ends the run.
local function try(options, strength, counts)
  local held
  do
    local on <close> = inject(options.fault(strength))
    wait(options.settle or "5s")
    held = check_metric(options.holds, { counts = counts }).held
    log(("%s at %s: %s"):format(on.fault, strength, held and "held" or held == nil and "no data" or "did not hold"))
  end
  local recover = options.recover or "30s"
  if check_metric(options.holds, { within = recover, counts = false }).held ~= true then
    abort(("not healthy again %s after a fault of %s"):format(recover, strength))
  end
  return held == true
end

---Finds by bisection how strong a fault may be until a condition no longer holds. A stronger fault must not do less
---harm than a weaker one.
---@param options moonquake.ramp
---@return moonquake.Margin
function M.ramp(options)
  local known = { "fault", "from", "to", "step", "holds", "at_least", "settle", "recover" }
  quantity.check(options, known, "ramp")
  local greatest, unit = quantity.split(options.to, "ramp: to")
  local function number(name, default)
    local found, its_unit = quantity.split(options[name] or default, "ramp: " .. name)
    if its_unit ~= unit then
      error(("ramp: %s must have the unit of to (%s), got %s"):format(name, options.to, options[name]), 3)
    end
    return found
  end
  local step, good = number "step", number("from", "0" .. unit)
  if step <= 0 then error("ramp: step must be more than 0, got " .. options.step, 2) end
  local wanted = options.at_least and number "at_least"
  local bad
  local tries = 0
  local function attempt(strength, counts)
    tries = tries + 1
    local holds = try(options, quantity.join(strength, unit), counts)
    if holds then good = strength else bad = strength end
  end

  if wanted then attempt(wanted, true) end
  if not bad and good < greatest then attempt(greatest, false) end
  while bad and bad - good > step * 1.000001 do
    attempt(good + math.max(1, math.floor((bad - good) / step / 2)) * step, false)
  end

  local result = { holds = quantity.join(good, unit), breaks = bad and quantity.join(bad, unit), tries = tries }
  local text = ("%s holds up to %s"):format(options.holds, result.holds)
  text = text .. (bad and (" and breaks at " .. result.breaks) or ", the greatest that was tried")
  if wanted then
    result.margin = ("%+.6g%s"):format(good - wanted, unit)
    text = text .. (": a margin of %s to the %s asked for"):format(result.margin, options.at_least)
  end
  observe(text)
  return result
end

return M
