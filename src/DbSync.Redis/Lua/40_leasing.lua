-- FCALL revision 0: the revision of this library.
local function revision()
    return REVISION
end

-- missing: A, and the commands that the calling user may not use here. Asked before the first lock: a command that is refused in the
-- middle of a function would leave half of its work, and Redis says no more of it than ERR.
local function missing(keys)
    local base = keys[1]
    local state = base .. ':1:x'
    local needed = {
        { 'INFO', 'server' }, { 'TIME' }, { 'PUBLISH', string.match(base, '^(.-):{') .. ':c:0', '' },
        { 'HGET', state, 'f' }, { 'HSET', state, 'f', 'v' }, { 'HSETNX', state, 'f', 'v' }, { 'HMGET', state, 'f' }, { 'HDEL', state, 'f' }, { 'HINCRBY', state, 'f', '1' },
        { 'HLEN', state }, { 'HSCAN', state, '0' }, { 'HRANDFIELD', state }, { 'ZADD', state, '0', 'm' }, { 'ZREM', state, 'm' },
        { 'ZCARD', state }, { 'ZSCORE', state, 'm' }, { 'ZRANGE', state, '0', '1' }, { 'ZLEXCOUNT', state, '-', '+' }, { 'UNLINK', state },
    }
    local refused = { 'A' }
    for _, command in ipairs(needed) do
        if not redis.acl_check_cmd(unpack(command)) then refused[#refused + 1] = command[1] end
    end
    return refused
end

-- install <epoch> <name>: begins an epoch on this server, if it is newer than the installed one, and drops what the old one left. The
-- caller has raised the epoch in PostgreSQL by itself and committed, so that nobody ever installs one epoch twice.
local function install(keys, args)
    awake()
    local base, epoch = keys[1], args[1]
    if may_evict() then return { 'P' } end
    local current = call('HGET', base .. ':m', 'epoch')
    if current and tonumber(current) >= tonumber(epoch) then return { 'E', current } end
    local old = base .. ':' .. (current or string.format('%d', epoch - 1)) .. ':'
    for _, lease in ipairs(call('ZRANGE', old .. 'l', 0, LEASES_MAX - 1)) do
        call('UNLINK', old .. 's:' .. lease)
        tell(base, lease, 'E ' .. lease .. ' ' .. epoch)
    end
    call('UNLINK', base .. ':m', old .. 'x', old .. 'r', old .. 'wx', old .. 'wr', old .. 'l', old .. 'c', old .. 'o')
    call('HSET', base .. ':m', 'epoch', epoch, 'guard', guard(), 'name', args[2], 'seq', 0, 'ticket', 0, 'nx', 0, 'nr', 0, 'nw', 0)
    -- The anchor is too long for Redis to keep the set as a flat list, in which every step would look at all of it; and a set that is never
    -- empty need not be made and removed by each lock that comes alone.
    local p, anchor = base .. ':' .. epoch .. ':', 'Z' .. string.rep('z', 255)
    call('ZADD', p .. 'x', '0', anchor)
    call('ZADD', p .. 'r', '0', anchor)
    return { 'I' }
end

-- open <epoch> <lease> <ttl ms> [<old lease>]: begins a lease. Only this creates one; renewing never does. The client's last lease, which it has given
-- up already, ends here too: what it asks for again must not wait for what it had.
local function open(keys, args)
    local base = keys[1]
    local answer, p, now = enter(base, args[1])
    if answer then return answer end
    if may_evict() then return { 'P' } end
    if args[4] and args[4] ~= '' then bury(base, p, now, args[4], REAP_MAX) end
    call('ZADD', p .. 'l', 'NX', now + args[3], args[2])
    return { 'O' }
end

-- renew <epoch> <lease> <ttl ms>: A and the number of the lease's records, or S when it is over. Also where damage is noticed: a
-- sorted set that was evicted or deleted no longer has two members for each range, and its anchor.
local function renew(keys, args)
    local base = keys[1]
    local answer, p, now = enter(base, args[1])
    if answer then return answer end
    if may_evict() then return { 'P' } end
    local held = call('HMGET', base .. ':m', 'nx', 'nr', 'nw') -- again: looking after a dead lease may have changed them
    if call('ZCARD', p .. 'x') ~= 2 * held[1] + 1 or call('ZCARD', p .. 'r') ~= 2 * held[2] + 1
        or call('ZCARD', p .. 'wx') + call('ZCARD', p .. 'wr') ~= 2 * held[3] then
        return { 'D' }
    end
    if not alive(p, args[2], now) then return { 'S' } end
    call('ZADD', p .. 'l', 'XX', now + args[3], args[2])
    return { 'A', call('HLEN', p .. 's:' .. args[2]) }
end

-- close <epoch> <lease>: ends a lease and gives back up to 256 of its locks; the number left, 0 when done.
local function close(keys, args)
    local answer, p, now = enter(keys[1], args[1])
    if answer then return answer end
    return { 'R', bury(keys[1], p, now, args[2], 256) }
end
