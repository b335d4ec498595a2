-- Where the experiments find their services: those of `scripts/practice.sh`.
--
-- To aim the experiments at services of your own, write their addresses here.

local name = "practice"
local port = 18080

local M = {}

-- On the loopback: an ordinary user can run experiments on these.
M.nginx = "http://127.0.0.1:" .. port .. "/"
M.nginx_port = port
M.shop = "http://127.0.0.1:" .. port + 1 .. "/"
M.shop_port = port + 1
M.prometheus = "http://127.0.0.1:" .. port + 2
M.redis = "127.0.0.1:" .. port + 3
M.redis_port = port + 3

-- In network namespaces: faults there need root.
M.web = name .. "-web"
M.web_shop = "http://10.99.0.1:8080/"
M.web_proxy = "http://10.99.0.1:8081/"
M.cache = "10.99.0.2:6379"
M.cache_name = "cache.shop.test"
M.sessions = "10.99.0.2:6380"
M.backend = "10.99.0.2:8082"

-- A container of an engine of its own: faults there need root.
M.engine = "/tmp/moonquake-" .. name .. ".sock"
M.batch = "http://127.0.0.1:" .. port + 4 .. "/"
-- A small file system of its own: root makes it.
M.scratch = "/run/" .. name .. "-scratch"

return M
