-- acquire <epoch> <lease> <request> <owner> <x|r> <wait 0|1> <waiters max> <lo> <hi> ...: G, W, B or Q. Repeating it with the same
-- request number gives the answer again and changes nothing.
local function acquire(keys, args)
    local base = keys[1]
    local answer, p, now, waiting = enter(base, args[1])
    if answer then return answer end
    local lease, request, owner, mode = args[2], args[3], args[4], args[5]
    if not alive(p, lease, now) then return { 'S' } end
    local known = load(p, lease, request)
    if known then
        if known[STATE] == HELD then return { 'G', known[SEQ] } end
        return { 'W', known[TICKET], tonumber(call('HGET', p .. 'c', known[TICKET])) }
    end

    local blocked = 0
    for i = 8, #args, 2 do
        local lo, hi = args[i], args[i + 1]
        blocked = blocked + overlaps(p .. 'x', lo, hi)
        if mode == 'x' then blocked = blocked + overlaps(p .. 'r', lo, hi) end
        if waiting > 0 then
            blocked = blocked + overlaps(p .. 'wx', lo, hi)
            if mode == 'x' then blocked = blocked + overlaps(p .. 'wr', lo, hi) end
        end
    end
    if blocked > 0 and args[6] == '0' then return { 'B' } end
    if blocked > 0 and waiting >= tonumber(args[7]) then return { 'Q' } end

    local record = { mode, HELD, 0, 0, now, owner }
    for i = 8, #args do record[#record + 1] = args[i] end
    local id, count = lease .. '/' .. request, ranges_of(record)
    if blocked == 0 then
        record[SEQ] = call('HINCRBY', base .. ':m', 'seq', 1)
        call('HINCRBY', base .. ':m', 'nh', count)
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

-- release <epoch> <lease> <request>: R, or N when it isn't there (any more). Ends a wait as well as a lock.
local function release(keys, args)
    local answer, p, now = enter(keys[1], args[1])
    if answer then return answer end
    local record = load(p, args[2], args[3])
    if not record then return { 'N' } end
    drop(keys[1], p, now, args[2], args[3], record)
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
    record[MODE] = 'x'
    record[SEQ] = call('HINCRBY', base .. ':m', 'seq', 1)
    store(p, args[2], args[3], record)
    relax(base, p, now, record, { 'wr' }, 1, -1)
    return { 'G', record[SEQ] }
end
