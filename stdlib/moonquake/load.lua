-- A steady load with a judgement of each of its measures:
--
--   metrics = load.http {
--     url = "http://shop/", rate = "200/s", error_rate = { below = "1%" }, p95 = { below = "300ms" },
--   }
--
-- Each metric.http sends requests of its own, so that three metrics of "200/s" are a load of 600 requests a second.
-- Here the rate is that of all together, and each measure sees its share.

local quantity = require "moonquake.quantity"

local M = {}

local measures = { "error_rate", "rate", "mean", "p50", "p90", "p95", "p99", "p99.9", "max" }

local function is_measure(name)
  for _, measure in ipairs(measures) do
    if measure == name then return true end
  end
  return false
end

local function share(rate, count)
  local number, per = tostring(rate):match "^([%d.]+)/([smhd])$"
  if not tonumber(number) then error('load: rate must be a rate such as "200/s", got ' .. tostring(rate), 4) end
  return quantity.join(tonumber(number) / count, "/" .. per)
end

--- The metrics of one load, by their names.
local function metrics(make, options)
  local names, common = {}, {}
  for key, value in pairs(options) do
    if is_measure(key) and type(value) == "table" then
      table.insert(names, key)
    elseif key ~= "rate" and key ~= "prefix" then
      common[key] = value
    end
  end
  if #names == 0 then error("load: name the measures to judge, such as error_rate = { below = \"1%\" }", 3) end
  table.sort(names)
  local rate = share(options.rate or "50/s", #names)
  local result = {}
  for _, name in ipairs(names) do
    local metric_options = { measure = name, rate = rate }
    for key, value in pairs(common) do metric_options[key] = value end
    for key, value in pairs(options[name]) do metric_options[key] = value end
    result[(options.prefix or "") .. name] = make(metric_options)
  end
  return result
end

---Requests of a URL at a steady rate.
---@param options table As `metric.http`, with `rate` for all together ("50/s" unless given), a table of thresholds for
---each measure that is watched (`p95 = { below = "300ms" }`), and `prefix` before the names of the metrics.
---@return table<string, moonquake.Metric> metrics For `steady_state`.
function M.http(options) return metrics(metric.http, options) end

---Connections to an address at a steady rate.
---@param options table As `metric.tcp`, with `rate`, thresholds and `prefix` as for `http`.
---@return table<string, moonquake.Metric> metrics For `steady_state`.
function M.tcp(options) return metrics(metric.tcp, options) end

return M
