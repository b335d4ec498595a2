-- Tries something again until it works: `retry(function() return … end, { times = 5, pause = "1s" })`.

local quantity = require "moonquake.quantity"

local M = {}

---@class moonquake.retry
---@field times? integer How often at most; 3.
---@field pause? string How long to wait after the first try that failed; "1s".
---@field backoff? number By how much each pause is longer than the one before; 2.
---@field longest? string The longest pause; "30s".

---Calls a function until it returns something other than nil and false, and waits between two tries.
---
---An abort of the run ends it at once: it is no failure that a further try could help.
---@generic T
---@param attempt fun(try: integer): T Is given the number of the try, from 1.
---@param options? moonquake.retry
---@return T result What the last try returned.
---Raises the last error, or one that says how often nothing came back.
function M.retry(attempt, options)
  options = options or {}
  quantity.check(options, { "times", "pause", "backoff", "longest" }, "retry")
  local times = options.times or 3
  local pause = quantity.seconds(options.pause or "1s", "retry: pause")
  local longest = quantity.seconds(options.longest or "30s", "retry: longest")
  local problem
  for try = 1, times do
    local done, result = pcall(attempt, try)
    if done and result then return result end
    problem = done and ("no result after %d tries"):format(try) or result
    if try < times then
      log(("try %d of %d failed: %s"):format(try, times, done and "no result" or tostring(result)))
      wait(quantity.time(math.min(pause, longest)))
      pause = pause * (options.backoff or 2)
    end
  end
  error(problem, 0)
end

return M
