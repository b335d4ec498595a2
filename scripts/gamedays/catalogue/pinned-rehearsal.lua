-- What:         two experiments of the catalogue, each in the version that was agreed on.
-- Blast radius: that of the experiments; one at a time.
-- How to abort: Ctrl-C, or `moonquake abort` in another terminal.
--
-- The catalogue must have them, and the services of scripts/practice.sh must run:
--
--     moonquake catalog add scripts/experiments/slow-cache.lua scripts/experiments/paused-redis.lua
--     moonquake gameday run scripts/gamedays/catalogue/pinned-rehearsal.lua
--
-- A file that is edited later becomes another version, and this rehearsal stays what it was.
gameday "the agreed rehearsal" {
  owner       = "shop",
  description = "what was agreed on, to the byte",
  experiments = { catalog "slow-cache@1", catalog "paused-redis@1" },
  pause       = "1s",
}
