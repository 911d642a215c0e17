-- How many ranges of holders and waiters stand before a request. `n` is { nx, nr, nw }: an empty set needn't be asked.
local function conflicts(p, mode, n, args)
    local count = 0
    for i = 8, #args, 2 do
        local lo, hi = args[i], args[i + 1]
        if n[1] > 0 then count = count + overlaps(p .. 'x', lo, hi) end
        if n[2] > 0 and mode == 'x' then count = count + overlaps(p .. 'r', lo, hi) end
        if n[3] > 0 then
            count = count + overlaps(p .. 'wx', lo, hi)
            if mode == 'x' then count = count + overlaps(p .. 'wr', lo, hi) end
        end
    end
    return count
end

local function counts(base)
    local meta = call('HMGET', base .. ':m', 'nx', 'nr', 'nw')
    return { tonumber(meta[1]), tonumber(meta[2]), tonumber(meta[3]) }
end

-- acquire <epoch> <lease> <request> <owner> <x|r> <wait 0|1> <waiters max> <lo> <hi> ...: G, W, B or Q. Repeating it with the same
-- request number gives the answer again and changes nothing. A dead lease is only looked after when something is in the way.
local function acquire(keys, args)
    awake()
    local base = keys[1]
    local meta = call('HMGET', base .. ':m', 'epoch', 'guard', 'nx', 'nr', 'nw', 'seq')
    if not meta[1] then return { 'M' } end
    if meta[2] ~= guard() then return { 'F', meta[1] } end
    if meta[1] ~= args[1] then return { 'E', meta[1] } end
    local p, now = base .. ':' .. args[1] .. ':', clock()
    local lease, request, owner, mode = args[2], args[3], args[4], args[5]
    if not alive(p, lease, now) then return { 'S' } end
    local known = load(p, lease, request)
    if known then
        if known[STATE] == HELD then return { 'G', known[SEQ] } end
        return { 'W', known[TICKET], tonumber(call('HGET', p .. 'c', known[TICKET])) }
    end

    local n, seq = { tonumber(meta[3]), tonumber(meta[4]), tonumber(meta[5]) }, meta[6]
    local blocked = conflicts(p, mode, n, args)
    if blocked > 0 and reap(base, p, now) then
        n, seq = counts(base), call('HGET', base .. ':m', 'seq')
        blocked = conflicts(p, mode, n, args)
    end
    if blocked > 0 and args[6] == '0' then return { 'B' } end
    if blocked > 0 and n[3] >= tonumber(args[7]) then return { 'Q' } end

    local record = { mode, HELD, 0, 0, now, owner }
    for i = 8, #args do record[#record + 1] = args[i] end
    local id, count = lease .. '/' .. request, ranges_of(record)
    if blocked == 0 then
        record[SEQ] = seq + 1
        call('HSET', base .. ':m', 'seq', record[SEQ], 'n' .. mode, (mode == 'x' and n[1] or n[2]) + count)
        insert(p .. mode, all_members(record, id))
        store(p, lease, request, record)
        return { 'G', record[SEQ] }
    end
    record[STATE] = WAITING
    record[TICKET] = call('HINCRBY', base .. ':m', 'ticket', 1)
    call('HINCRBY', base .. ':m', 'nw', count)
    call('HSET', p .. 'c', record[TICKET], blocked)
    call('ZADD', p .. 'o', 0, owner .. '/' .. id)
    insert(p .. 'w' .. mode, all_members(record, id))
    store(p, lease, request, record)
    return { 'W', record[TICKET], blocked }
end

-- release <epoch> <lease> <request>: R, or N when it isn't there (any more). Ends a wait as well as a lock. The server is only checked
-- when somebody waits: removing a lock on a server that isn't trusted any more does no harm, granting one there would.
local function release(keys, args)
    awake()
    local base = keys[1]
    local meta = call('HMGET', base .. ':m', 'epoch', 'nw')
    if not meta[1] then return { 'M' } end
    if meta[1] ~= args[1] then return { 'E', meta[1] } end
    local p, now = base .. ':' .. args[1] .. ':', 0
    if meta[2] ~= '0' then
        if call('HGET', base .. ':m', 'guard') ~= guard() then return { 'F', meta[1] } end
        now = clock()
        reap(base, p, now)
    end
    local record = load(p, args[2], args[3])
    if not record then return { 'N' } end
    drop(base, p, now, args[2], args[3], record, meta[2] == '0')
    return { 'R' }
end

-- revoke <epoch> <lease> <request>: release, by an operator: the client is told before the next holder is.
local function revoke(keys, args)
    local answer, p, now = enter(keys[1], args[1])
    if answer then return answer end
    local record = load(p, args[2], args[3])
    if not record then return { 'N' } end
    tell(keys[1], args[2], 'X ' .. args[2] .. ' ' .. args[3])
    drop(keys[1], p, now, args[2], args[3], record)
    return { 'R' }
end

-- downgrade <epoch> <lease> <request>: exclusive to shared. Shared waiters stop waiting for it, exclusive ones go on.
local function downgrade(keys, args)
    local base = keys[1]
    local answer, p, now = enter(base, args[1])
    if answer then return answer end
    if not alive(p, args[2], now) then return { 'S' } end
    local record = load(p, args[2], args[3])
    if not record or record[STATE] ~= HELD then return { 'N' } end
    if record[MODE] == 'r' then return { 'G', record[SEQ] } end
    local list = all_members(record, args[2] .. '/' .. args[3])
    call('ZREM', p .. 'x', unpack(list))
    insert(p .. 'r', list)
    call('HINCRBY', base .. ':m', 'nx', -ranges_of(record))
    call('HINCRBY', base .. ':m', 'nr', ranges_of(record))
    record[MODE] = 'r'
    store(p, args[2], args[3], record)
    relax(base, p, now, record, { 'wr' }, -1, -1)
    return { 'G', record[SEQ] }
end

-- upgrade <epoch> <lease> <request>: shared to exclusive with a new token, or B when somebody else holds an overlapping lock. Shared
-- waiters now wait for it too, even those that came before it.
local function upgrade(keys, args)
    local base = keys[1]
    local answer, p, now = enter(base, args[1])
    if answer then return answer end
    if not alive(p, args[2], now) then return { 'S' } end
    local record = load(p, args[2], args[3])
    if not record or record[STATE] ~= HELD then return { 'N' } end
    if record[MODE] == 'x' then return { 'G', record[SEQ] } end
    local others = -ranges_of(record)
    for i = FIRST, #record, 2 do
        others = others + overlaps(p .. 'x', record[i], record[i + 1]) + overlaps(p .. 'r', record[i], record[i + 1])
    end
    if others > 0 then return { 'B' } end
    local list = all_members(record, args[2] .. '/' .. args[3])
    call('ZREM', p .. 'r', unpack(list))
    insert(p .. 'x', list)
    call('HINCRBY', base .. ':m', 'nr', -ranges_of(record))
    call('HINCRBY', base .. ':m', 'nx', ranges_of(record))
    record[MODE] = 'x'
    record[SEQ] = call('HINCRBY', base .. ':m', 'seq', 1)
    store(p, args[2], args[3], record)
    relax(base, p, now, record, { 'wr' }, 1, -1)
    return { 'G', record[SEQ] }
end
