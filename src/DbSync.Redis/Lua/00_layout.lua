#!lua name=dbsync_lock1

-- Range locks in Redis. The files of this folder, in the order of their names, are one library:
--     cat *.lua | redis-cli -x FUNCTION LOAD REPLACE
--
-- They lock ranges of encoded keys. The name carries the version of the data's layout (1): a library of another layout has another name and
-- other functions, so that old and new clients never overwrite each other's code. Within a layout, `revision` below only grows.
--
-- THE STRUCTURE. Ranges are half-open and not empty, [lo, hi). For any set of them, overlapping or not,
--     overlaps(lo, hi) = |{ i : lo_i < hi }| - |{ i : hi_i <= lo }|        (each i with hi_i <= lo also has lo_i < hi)
-- and both counts are ZLEXCOUNT, O(log n), because a sorted set knows ranks. So each set of ranges is one sorted set, score 0, with two
-- members a range: "L" .. lo .. rest and "H" .. hi .. rest. Bounds are prefix-free, so what follows one never changes a comparison.
--
-- THE RULE (Linux kernel range lock, LWN 724502). A request waits for every earlier one it conflicts with, held or waiting: it stores how
-- many ranges that are. Who leaves lowers the counts of those it stood before; who reaches zero is granted inside the same call.
--
-- KEYS of a resource, all under one hash tag, derived from KEYS[1] = <prefix>:{<resource>}
--     :m              hash   epoch, guard, name, seq (last token), ticket (last waiter), nx, nr, nw (ranges held exclusive, held shared, waiting)
--     :<epoch>:x :r   zset   ranges held exclusive, shared, and the anchor, which sorts after all of them
--     :<epoch>:wx :wr zset   ranges waited for exclusive, shared
--     :<epoch>:l      zset   leases by expiry in ms; score 0 = dead, its records are being removed
--     :<epoch>:s:<lease>  hash   request -> record
--     :<epoch>:c      hash   ticket -> conflicting ranges still before it
--     :<epoch>:o      zset   owner/lease/request of the waiters, for the search for deadlocks
-- A new epoch changes the prefix, so what is old is out of reach at once.
--
-- ANSWERS are arrays whose first element says what happened:
--     G seq = granted       W ticket blocked = waits     B = busy             N = no such request    R = given back
--     S = the lease is over E epoch = the epoch is this one now               F = another server, restarted or failed over
--     M = nothing installed D = damaged                  Q = too many wait    P = the server may evict keys
--
-- Every loop has a bound: records of a dead lease REAP_MAX a call, waiters of a resource `waiters_max` (the caller's option),
-- ranges of a request 64, steps of a call 128 (the caller's limits), listings LIST_MAX.

local REVISION = 5
local REAP_MAX = 32
local SCAN_CHUNK = '32'
local BLOCKERS_MAX = 256
local LEASES_MAX = 10000
local TAIL = '\255'
local NO_TICKET = '\0\0\0\0\0\0\0\0'

local run_id

-- The counters nx, nr and nw while `run` runs, which writes them once at its end; nil otherwise.
local counters

-- Tokens that `run` has counted in Redis already, before it grants anything: the next one and the last. What isn't used is left out for ever.
local next_token, last_token

-- While a library loads, Redis 7 has neither redis.call nor Lua's own libraries; `awake` fetches them when the first call comes in.
local call, byte, sub

local function awake()
    if not call then call, byte, sub = redis.call, string.byte, string.sub end
    counters, next_token = nil, nil
end

local function token(base)
    if not next_token then return call('HINCRBY', base .. ':m', 'seq', '1') end
    if next_token > last_token then
        last_token = call('HINCRBY', base .. ':m', 'seq', '1')
        next_token = last_token
    end
    next_token = next_token + 1
    return next_token - 1
end

local function count(base, field, change)
    if counters then counters[field] = counters[field] + change
    else call('HINCRBY', base .. ':m', field, change) end
end

local function counted(base)
    if counters then return counters.nx, counters.nr, counters.nw end
    local meta = call('HMGET', base .. ':m', 'nx', 'nr', 'nw')
    return tonumber(meta[1]), tonumber(meta[2]), tonumber(meta[3])
end

-- The server that an epoch was installed on. run_id changes with every start, master_replid with every promotion (run_id alone is not
-- enough: a server can be demoted and promoted again without a restart). run_id is kept in Lua's memory, which isn't replicated.
local function guard()
    if not run_id then run_id = string.match(call('INFO', 'server'), 'run_id:(%x+)') end
    return run_id .. string.match(call('INFO', 'replication'), 'master_replid:(%x+)')
end

-- Milliseconds by the server's clock. A jump forward ends leases early; only the fence keeps that safe.
local function clock()
    local t = call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end
