-- Numbers with their unit, as options take them: "250ms" is 250 and "ms".

local M = {}

---Splits a quantity.
---@param text string Such as "250ms" or "10%".
---@param name string What it is, for messages: "ramp: to".
---@return number number
---@return string unit
function M.split(text, name)
  local number, unit = tostring(text):match "^([%d.]+)(%a*[%a%%/]%a*)$"
  number = tonumber(number)
  if type(text) ~= "string" or not number then
    error(name .. ' must be a number with its unit, such as "250ms" or "10%", got ' .. tostring(text), 3)
  end
  return number, unit
end

---Puts a number and its unit together.
---@param number number
---@param unit string
---@return string
function M.join(number, unit) return ("%.6g"):format(number) .. unit end

---A time as `wait` takes it.
---@param seconds number
---@return string
function M.time(seconds) return ("%.0fms"):format(math.max(1, seconds * 1000)) end

local per_second = { us = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600, d = 86400 }

---The seconds of a time.
---@param text string Such as "250ms"; one unit.
---@param name string What it is, for messages.
---@return number
function M.seconds(text, name)
  local number, unit = M.split(text, name)
  if not per_second[unit] then error(name .. ' must be a time such as "250ms", got ' .. text, 3) end
  return number * per_second[unit]
end

---Refuses options that are not known, so that a slip does not go unnoticed.
---@param options table
---@param known string[]
---@param name string What they belong to.
function M.check(options, known, name)
  local names = {}
  for _, key in ipairs(known) do names[key] = true end
  local wrong = {}
  for key in pairs(options) do
    if not names[key] then table.insert(wrong, tostring(key)) end
  end
  table.sort(wrong)
  if wrong[1] then
    error(('%s: unknown option "%s"; known: %s'):format(name, wrong[1], table.concat(known, ", ")), 3)
  end
end

return M
