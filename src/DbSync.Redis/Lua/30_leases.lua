-- Removes up to `most` records of a lease that is over. It is marked dead first, so that no clock can bring it back half removed.
local function bury(base, p, now, lease, most)
    call('ZADD', p .. 'l', 'XX', 0, lease)
    local hash = p .. 's:' .. lease
    local fields = call('HRANDFIELD', hash, most, 'WITHVALUES')
    for i = 1, #fields, 2 do drop(base, p, now, lease, fields[i], cmsgpack.unpack(fields[i + 1])) end
    local left = call('HLEN', hash)
    if left == 0 then call('ZREM', p .. 'l', lease) end
    return left
end

local function reap(base, p, now)
    local over = call('ZRANGE', p .. 'l', '-inf', now, 'BYSCORE', 'LIMIT', '0', '1')
    if not over[1] then return false end
    bury(base, p, now, over[1], REAP_MAX)
    return true
end

-- Every call but the most frequent one begins here: right server, right epoch, time read, one dead lease looked after. Returns the
-- answer that ends the call, or nil, the prefix, the time, and the number of waiting ranges.
local function enter(base, epoch)
    awake()
    local meta = call('HMGET', base .. ':m', 'epoch', 'guard', 'nw')
    if not meta[1] then return { 'M' } end
    if meta[2] ~= guard() then return { 'F', meta[1] } end
    if meta[1] ~= epoch then return { 'E', meta[1] } end
    local p, now = base .. ':' .. epoch .. ':', clock()
    reap(base, p, now)
    return nil, p, now, tonumber(meta[3])
end

local function alive(p, lease, now)
    local expiry = call('ZSCORE', p .. 'l', lease)
    return expiry and tonumber(expiry) > now
end

-- An eviction under an allkeys policy could take away half of the locks. Keys without an expiry are safe under the others.
local function may_evict()
    local memory = call('INFO', 'memory')
    return string.match(memory, 'maxmemory:(%d+)') ~= '0' and string.match(memory, 'maxmemory_policy:allkeys') ~= nil
end
