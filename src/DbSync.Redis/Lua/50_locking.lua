-- How many ranges of holders and waiters stand before a request. An empty set needn't be asked, and of the ranges held exclusively, which never
-- overlap each other, the one that begins last before the request's end tells whether any is in the way.
local function conflicts(p, mode, nx, nr, nw, args, first, last)
    local found = 0
    for i = first, last, 2 do
        local lo, hi = args[i], args[i + 1]
        if nx > 0 then
            local nearest = call('ZRANGE', p .. 'x', '(L' .. hi, '[L', 'BYLEX', 'REV', 'LIMIT', '0', '1')[1]
            if nearest and ends_after(nearest, lo) then found = found + overlaps(p .. 'x', lo, hi) end
        end
        if nr > 0 and mode == 'x' then found = found + overlaps(p .. 'r', lo, hi) end
        if nw > 0 then
            found = found + overlaps(p .. 'wx', lo, hi)
            if mode == 'x' then found = found + overlaps(p .. 'wr', lo, hi) end
        end
    end
    return found
end

local function answer_again(p, known)
    if known[STATE] == HELD then return { 'G', known[SEQ] } end
    return { 'W', known[TICKET], tonumber(call('HGET', p .. 'c', known[TICKET])) }
end

-- One request: args[at] .. args[last] are its number, owner, mode, whether it waits, and its ranges. Repeating it gives the answer again and
-- changes nothing: a grant stores its record only if there is none yet, and who is in somebody's way may be in its own.
local function take(base, p, now, lease, waiters_max, args, at, last)
    local request, owner, mode = args[at], args[at + 1], args[at + 2]
    local nx, nr, nw = counted(base)
    local blocked = conflicts(p, mode, nx, nr, nw, args, at + 4, last)
    if blocked > 0 then
        local known = load(p, lease, request)
        if known then return answer_again(p, known) end
        if reap(base, p, now) then
            nx, nr, nw = counted(base)
            blocked = conflicts(p, mode, nx, nr, nw, args, at + 4, last)
        end
    end
    if blocked > 0 and args[at + 3] == '0' then return { 'B' } end
    if blocked > 0 and nw >= waiters_max then return { 'Q' } end

    local record = { mode, HELD, 0, 0, now, owner }
    for i = at + 4, last do record[#record + 1] = args[i] end
    local id = lease .. '/' .. request
    if blocked == 0 then
        record[SEQ] = token(base)
        if call('HSETNX', p .. 's:' .. lease, request, cmsgpack.pack(record)) == 0 then
            return answer_again(p, load(p, lease, request))
        end
        insert(p .. mode, all_members(record, id))
        count(base, 'n' .. mode, ranges_of(record))
        return { 'G', record[SEQ] }
    end
    record[STATE] = WAITING
    record[TICKET] = call('HINCRBY', base .. ':m', 'ticket', '1')
    count(base, 'nw', ranges_of(record))
    call('HSET', p .. 'c', record[TICKET], blocked)
    call('ZADD', p .. 'o', '0', owner .. '/' .. id)
    insert(p .. 'w' .. mode, all_members(record, id))
    store(p, lease, request, record)
    return { 'W', record[TICKET], blocked }
end

local function give_back(base, p, now, lease, request)
    local record = load(p, lease, request)
    if not record then return { 'N' } end
    drop(base, p, now, lease, request, record)
    return { 'R' }
end

-- run <epoch> <lease> <waiters max>, then for each step the number of its words and the words: one, and that request is given back, lock or
-- wait (R, or N when it isn't there any more); more, and it is a request (G, W, B, Q). Answers A and the answer to each step, or one answer to
-- all of them. What one process asks for at the same time is one call, checked once.
local function run(keys, args)
    awake()
    local base = keys[1]
    local meta = call('HMGET', base .. ':m', 'epoch', 'guard', 'nx', 'nr', 'nw')
    if not meta[1] then return { 'M' } end
    if meta[2] ~= guard() then return { 'F', meta[1] } end
    if meta[1] ~= args[1] then return { 'E', meta[1] } end
    local p, now, lease, waiters_max = base .. ':' .. args[1] .. ':', clock(), args[2], tonumber(args[3])
    counters = { nx = tonumber(meta[3]), nr = tonumber(meta[4]), nw = tonumber(meta[5]) }
    if counters.nw > 0 then reap(base, p, now) end
    local live, answers, at, asked = alive(p, lease, now), { 'A' }, 4, 0
    while at <= #args do
        if args[at] ~= '1' then asked = asked + 1 end
        at = at + args[at] + 1
    end
    if asked > 1 then
        last_token = call('HINCRBY', base .. ':m', 'seq', asked)
        next_token = last_token - asked + 1
    end
    at = 4
    while at <= #args do
        local words = tonumber(args[at])
        if words == 1 then answers[#answers + 1] = give_back(base, p, now, lease, args[at + 1])
        elseif not live then answers[#answers + 1] = { 'S' }
        else answers[#answers + 1] = take(base, p, now, lease, waiters_max, args, at + 1, at + words) end
        at = at + words + 1
    end
    call('HSET', base .. ':m', 'nx', counters.nx, 'nr', counters.nr, 'nw', counters.nw)
    return answers
end

-- revoke <epoch> <lease> <request>: given back by an operator: the client is told before the next holder is.
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
    count(base, 'nx', -ranges_of(record))
    count(base, 'nr', ranges_of(record))
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
    count(base, 'nr', -ranges_of(record))
    count(base, 'nx', ranges_of(record))
    record[MODE] = 'x'
    record[SEQ] = token(base)
    store(p, args[2], args[3], record)
    relax(base, p, now, record, { 'wr' }, 1, -1)
    return { 'G', record[SEQ] }
end
