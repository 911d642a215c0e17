-- A record is a msgpack array: mode, state, ticket, seq, since (ms), owner, lo, hi, lo, hi ...
local MODE, STATE, TICKET, SEQ, SINCE, OWNER, FIRST = 1, 2, 3, 4, 5, 6, 7
local HELD, WAITING = 'h', 'w'

local function store(p, lease, request, record)
    call('HSET', p .. 's:' .. lease, request, cmsgpack.pack(record))
end

local function load(p, lease, request)
    local packed = call('HGET', p .. 's:' .. lease, request)
    return packed and cmsgpack.unpack(packed)
end

local function ranges_of(record)
    return (#record - FIRST + 1) / 2
end

local function all_members(record, id)
    local list = {}
    for i = FIRST, #record, 2 do
        local low, high = members(record[i], record[i + 1], record[TICKET], id)
        list[#list + 1] = low
        list[#list + 1] = high
    end
    return list
end

local function insert(set, list)
    local args = {}
    for i, member in ipairs(list) do
        args[2 * i - 1] = '0' -- a number would be printed anew each time
        args[2 * i] = member
    end
    call('ZADD', set, unpack(args))
end

-- Tells a client process something on its channel: <prefix>:c:<client>, where a lease is named <client>-<number>.
local function tell(base, lease, message)
    call('PUBLISH', string.match(base, '^(.-):{') .. ':c:' .. string.match(lease, '^[^-]+'), message)
end

-- Changes the counts of the waiters in `sets` that overlap the record's ranges by `change` for each pair of ranges; with `after`, only of
-- those with a later ticket. Those that reach zero become holders, tokens in the order of their tickets.
local function relax(base, p, now, record, sets, change, after)
    local hits, ids = {}, {}
    for _, set in ipairs(sets) do
        for i = FIRST, #record, 2 do
            each_overlap(p .. set, record[i], record[i + 1], math.huge, function(ticket, id)
                if ticket > after then
                    hits[ticket] = (hits[ticket] or 0) + 1
                    ids[ticket] = id
                end
            end)
        end
    end
    local free = {}
    for ticket, pairs_found in pairs(hits) do
        if call('HINCRBY', p .. 'c', ticket, change * pairs_found) <= 0 then free[#free + 1] = ticket end
    end
    table.sort(free)
    for _, ticket in ipairs(free) do
        local id = ids[ticket]
        local lease, request = string.match(id, '^(.-)/(.*)$')
        local waiter = load(p, lease, request)
        local list = all_members(waiter, id)
        call('ZREM', p .. 'w' .. waiter[MODE], unpack(list))
        insert(p .. waiter[MODE], list)
        call('HDEL', p .. 'c', ticket)
        call('ZREM', p .. 'o', waiter[OWNER] .. '/' .. id)
        count(base, 'nw', -ranges_of(waiter))
        count(base, 'n' .. waiter[MODE], ranges_of(waiter))
        waiter[STATE], waiter[SINCE] = HELD, now
        waiter[SEQ] = token(base)
        store(p, lease, request, waiter)
        tell(base, lease, 'G ' .. lease .. ' ' .. request .. ' ' .. string.format('%d', waiter[SEQ]))
    end
end

-- The sets whose waiters a holder or waiter of this mode stands before.
local function stood_before(mode)
    if mode == 'x' then return { 'wx', 'wr' } end
    return { 'wx' }
end

-- Takes a request out, whatever it was doing, and hands on what it held. A holder stands before all waiters it conflicts with (earlier
-- ones too, if it was upgraded), a waiter only before later ones.
local function drop(base, p, now, lease, request, record)
    local id = lease .. '/' .. request
    local list, size = all_members(record, id), ranges_of(record)
    call('HDEL', p .. 's:' .. lease, request)
    if record[STATE] == HELD then
        call('ZREM', p .. record[MODE], unpack(list))
        count(base, 'n' .. record[MODE], -size)
        local _, _, waiting = counted(base)
        if waiting > 0 then relax(base, p, now, record, stood_before(record[MODE]), -1, -1) end
    else
        call('ZREM', p .. 'w' .. record[MODE], unpack(list))
        call('HDEL', p .. 'c', record[TICKET])
        call('ZREM', p .. 'o', record[OWNER] .. '/' .. id)
        count(base, 'nw', -size)
        relax(base, p, now, record, stood_before(record[MODE]), -1, record[TICKET])
    end
end
