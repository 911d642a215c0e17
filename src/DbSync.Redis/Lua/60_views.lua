-- status <epoch> <lease> <request> ...: for each request its token, 0 while it waits, -1 when it isn't there. The net under pub/sub.
local function status(keys, args)
    local answer, p, now = enter(keys[1], args[1])
    if answer then return answer end
    if not alive(p, args[2], now) then return { 'S' } end
    local list = { 'A' }
    for i = 3, #args do
        local record = load(p, args[2], args[i])
        if not record then list[#list + 1] = -1
        elseif record[STATE] == HELD then list[#list + 1] = record[SEQ]
        else list[#list + 1] = 0 end
    end
    return list
end

-- mine <epoch> <lease> <cursor>: A, the next cursor, and request numbers the lease has here, for reconciling.
local function mine(keys, args)
    local answer, p = enter(keys[1], args[1])
    if answer then return answer end
    local page = call('HSCAN', p .. 's:' .. args[2], args[3], 'COUNT', 512)
    local list = { 'A', page[1] }
    for i = 1, #page[2], 2 do list[#list + 1] = page[2][i] end
    return list
end

-- waits <owner> ...: what these owners wait for here, in whatever epoch is installed: A, then for each wait { owner, lease/request, since, { blocking owner, its
-- lease/request, ... } }, holders first. What a lease had that is over waits for nobody and blocks nobody for long. Blockers beyond BLOCKERS_MAX are left
-- out: a deadlock among so many ends by timeout.
local function waits(keys, args)
    awake()
    local epoch = call('HGET', keys[1] .. ':m', 'epoch')
    if not epoch then return { 'M' } end
    local p, list, now, over = keys[1] .. ':' .. epoch .. ':', { 'A' }, clock(), {}
    local function is_over(id)
        local lease = string.match(id, '^(.-)/')
        if over[lease] == nil then over[lease] = not alive(p, lease, now) end
        return over[lease]
    end
    local function blockers_of(record)
        local blockers, seen = {}, {}
        local function note(other)
            if seen[other] or is_over(other) then return end
            seen[other] = true
            local found = load(p, string.match(other, '^(.-)/(.*)$'))
            blockers[#blockers + 1] = found[OWNER]
            blockers[#blockers + 1] = other
        end
        local sets = record[MODE] == 'x' and { 'x', 'r', 'wx', 'wr' } or { 'x', 'wx' }
        for _, set in ipairs(sets) do
            for r = FIRST, #record, 2 do
                each_overlap(p .. set, record[r], record[r + 1], BLOCKERS_MAX, function(ticket, other)
                    if sub(set, 1, 1) ~= 'w' or ticket < record[TICKET] then note(other) end
                end)
            end
        end
        return blockers
    end
    for i = 1, #args do
        for _, member in ipairs(call('ZRANGE', p .. 'o', '[' .. args[i] .. '/', '(' .. args[i] .. '0', 'BYLEX', 'LIMIT', '0', '64')) do
            local owner, id = string.match(member, '^(.-)/(.*)$')
            if not is_over(id) then
                local record = load(p, string.match(id, '^(.-)/(.*)$'))
                list[#list + 1] = { owner, id, record[SINCE], blockers_of(record) }
            end
        end
    end
    return list
end

-- list <limit>: A, epoch, time, truncated 0|1, then for each request { lease, request, lease expiry, mode, state, ticket, seq, since,
-- owner, lo, hi ... }. Looks at whatever epoch is installed.
local function list(keys, args)
    awake()
    local meta = call('HMGET', keys[1] .. ':m', 'epoch', 'guard')
    if not meta[1] then return { 'M' } end
    if meta[2] ~= guard() then return { 'F', meta[1] } end
    local p, now, limit = keys[1] .. ':' .. meta[1] .. ':', clock(), tonumber(args[1])
    local out, truncated, count = { 'A', meta[1], now, 0 }, 0, 0
    local leases = call('ZRANGE', p .. 'l', 0, LEASES_MAX - 1, 'WITHSCORES')
    for i = 1, #leases, 2 do
        local cursor = '0'
        repeat
            local page = call('HSCAN', p .. 's:' .. leases[i], cursor, 'COUNT', 128)
            cursor = page[1]
            for j = 1, #page[2], 2 do
                count = count + 1
                if count > limit then out[4] = 1; return out end
                out[#out + 1] = { leases[i], page[2][j], tonumber(leases[i + 1]), unpack(cmsgpack.unpack(page[2][j + 1])) }
            end
        until cursor == '0'
    end
    return out
end
