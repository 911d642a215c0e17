-- Byte order. Lua's own < on strings is strcoll, which depends on the server's locale.
local function before(a, b)
    local n = math.min(#a, #b)
    for i = 1, n do
        local x, y = byte(a, i), byte(b, i)
        if x ~= y then return x < y end
    end
    return #a < #b
end

-- The two members of a range. After the bound: the ticket (its first byte is 0, so it sorts below TAIL), the other bound, the request's
-- id, and the two lengths that let `parse` take it apart. So a scan sees the whole range without another lookup.
local function members(lo, hi, ticket, id)
    local stamp = ticket == 0 and NO_TICKET or struct.pack('>I8', ticket)
    return 'L' .. lo .. stamp .. hi .. id .. struct.pack('>I2B', #lo, #id),
           'H' .. hi .. stamp .. lo .. id .. struct.pack('>I2B', #hi, #id)
end

-- The ticket, the bound that isn't the member's sort key, and the id.
local function parse(member)
    local n, id_length = struct.unpack('>I2B', sub(member, -3))
    local ticket = struct.unpack('>I8', sub(member, n + 2, n + 9))
    return ticket, sub(member, n + 10, -4 - id_length), sub(member, -3 - id_length, -4)
end

-- Whether the range of an "L" member ends after `lo`.
local function ends_after(member, lo)
    local n, id_length = struct.unpack('>I2B', sub(member, -3))
    return before(lo, sub(member, n + 10, -4 - id_length))
end

local function overlaps(set, lo, hi)
    return call('ZLEXCOUNT', set, '[L', '(L' .. hi) - call('ZLEXCOUNT', set, '-', '[H' .. lo .. TAIL)
end

-- Calls found(ticket, id) for each range of `set` that overlaps [lo, hi), at most `most` times. How many there are is known first; then
-- the shorter side is read from its near end until all are found, so ranges elsewhere cost nothing.
local function each_overlap(set, lo, hi, most, found)
    local left = call('ZLEXCOUNT', set, '[L', '(L' .. hi)
    local wanted = left - call('ZLEXCOUNT', set, '-', '[H' .. lo .. TAIL)
    if wanted <= 0 then return end
    if wanted > most then wanted = most end
    local by_low = left <= call('ZLEXCOUNT', set, '(H' .. lo .. TAIL, '[I')
    local from = by_low and '(L' .. hi or '(H' .. lo .. TAIL
    while wanted > 0 do
        local page
        if by_low then page = call('ZRANGE', set, from, '[L', 'BYLEX', 'REV', 'LIMIT', '0', SCAN_CHUNK)
        else page = call('ZRANGE', set, from, '[I', 'BYLEX', 'LIMIT', '0', SCAN_CHUNK) end
        if #page == 0 then return end
        for _, member in ipairs(page) do
            local ticket, other, id = parse(member)
            local overlapping
            if by_low then overlapping = before(lo, other) else overlapping = before(other, hi) end
            if overlapping then
                found(ticket, id)
                wanted = wanted - 1
                if wanted == 0 then return end
            end
        end
        from = '(' .. page[#page]
    end
end
