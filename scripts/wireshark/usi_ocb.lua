-- AES (FIPS 197) and the opening half of OCB (RFC 7253, tag of 128 bits), in Lua 5.2 to 5.4 alone.
--
--   local key = ocb.new(octets)              16, 24 or 32 octets; nil for any other size
--   local plain = key:open(nonce, ad, sealed)   the tag stands behind the ciphertext; nil if it is wrong
--
-- For reading captures only: its time depends on the key.

local byte, char, sub = string.byte, string.char, string.sub
local concat = table.concat

-- Lua 5.2 has bit32, 5.3 and later operators, which 5.2 cannot even parse: hence load.
local band, xor, shl, shr
if bit32 then
    band, xor, shl, shr = bit32.band, bit32.bxor, bit32.lshift, bit32.rshift
else
    -- xor of up to five: the words of a round are so joined in one call.
    band, xor, shl, shr = load([[
        return function(a, b) return a & b end,
            function(a, b, c, d, e) return a ~ b ~ (c or 0) ~ (d or 0) ~ (e or 0) end,
            function(a, n) return (a << n) & 0xffffffff end,
            function(a, n) return a >> n end
    ]])()
end

-- Words are numbers of 32 bits, blocks are four of them.

local function times(a, b)
    local product = 0
    while b > 0 do
        if b % 2 == 1 then
            product = xor(product, a)
        end
        a = shl(a, 1)
        if a > 255 then
            a = xor(a, 0x11b)
        end
        b = shr(b, 1)
    end
    return product
end

local function rotate(word, bits)
    return xor(shr(word, bits), shl(word, 32 - bits))
end

-- The S-box, its inverse, and both with MixColumns or its inverse applied. Each of these has four tables, for the
-- four places of an octet in a word.
local SBOX, INVERSE = {}, {}
local F0, F1, F2, F3 = {}, {}, {}, {}
local B0, B1, B2, B3 = {}, {}, {}, {}

local function column(value, a, b, c, d)
    return times(value, a) * 0x1000000 + times(value, b) * 0x10000 + times(value, c) * 0x100 + times(value, d)
end

local function make_tables()
    local power, log, x = {}, {}, 1
    for i = 0, 254 do
        power[i], log[x] = x, i
        x = times(x, 3)
    end
    for a = 0, 255 do
        local b = a == 0 and 0 or power[(255 - log[a]) % 255]
        b = b * 257 -- twice side by side, so that shifts rotate
        SBOX[a] = xor(band(xor(b, shr(b, 4), shr(b, 5), shr(b, 6), shr(b, 7)), 255), 0x63)
        INVERSE[SBOX[a]] = a
    end
    for a = 0, 255 do
        local f = column(SBOX[a], 2, 1, 1, 3)
        F0[a], F1[a], F2[a], F3[a] = f, rotate(f, 8), rotate(f, 16), rotate(f, 24)
        local b = column(INVERSE[a], 14, 9, 13, 11)
        B0[a], B1[a], B2[a], B3[a] = b, rotate(b, 8), rotate(b, 16), rotate(b, 24)
    end
end
make_tables()

local function octets_of(word)
    return shr(word, 24), band(shr(word, 16), 255), band(shr(word, 8), 255), band(word, 255)
end

local function word_of(a, b, c, d)
    return a * 0x1000000 + b * 0x10000 + c * 0x100 + d
end

local function substitute(word)
    local a, b, c, d = octets_of(word)
    return word_of(SBOX[a], SBOX[b], SBOX[c], SBOX[d])
end

local function unmix(word)
    local a, b, c, d = octets_of(word)
    return xor(B0[SBOX[a]], B1[SBOX[b]], B2[SBOX[c]], B3[SBOX[d]])
end

-- The round keys of both ways, each a flat list of words.
local function expand(octets)
    local n = #octets / 4
    local count, words, factor = 4 * (n + 7), {}, 1
    for i = 0, n - 1 do
        words[i + 1] = word_of(byte(octets, 4 * i + 1, 4 * i + 4))
    end
    for i = n, count - 1 do
        local word = words[i]
        if i % n == 0 then
            word = xor(substitute(rotate(word, 24)), shl(factor, 24))
            factor = times(factor, 2)
        elseif n > 6 and i % n == 4 then
            word = substitute(word)
        end
        words[i + 1] = xor(words[i + 1 - n], word)
    end
    local back = {} -- of the equivalent inverse cipher, FIPS 197 section 5.3.5
    for i = 0, count - 4, 4 do
        for j = 1, 4 do
            local word = words[count - 4 - i + j]
            back[i + j] = (i == 0 or i == count - 4) and word or unmix(word)
        end
    end
    return words, back
end

-- The last round has no MixColumns.
local function last_of(box, a, b, c, d, key)
    return xor(word_of(box[shr(a, 24)], box[band(shr(b, 16), 255)], box[band(shr(c, 8), 255)], box[d % 256]), key)
end

local function encrypt(keys, s0, s1, s2, s3)
    s0, s1, s2, s3 = xor(s0, keys[1]), xor(s1, keys[2]), xor(s2, keys[3]), xor(s3, keys[4])
    local last = #keys - 3
    for i = 5, last - 4, 4 do
        s0, s1, s2, s3 =
            xor(F0[shr(s0, 24)], F1[band(shr(s1, 16), 255)], F2[band(shr(s2, 8), 255)], F3[s3 % 256], keys[i]),
            xor(F0[shr(s1, 24)], F1[band(shr(s2, 16), 255)], F2[band(shr(s3, 8), 255)], F3[s0 % 256], keys[i + 1]),
            xor(F0[shr(s2, 24)], F1[band(shr(s3, 16), 255)], F2[band(shr(s0, 8), 255)], F3[s1 % 256], keys[i + 2]),
            xor(F0[shr(s3, 24)], F1[band(shr(s0, 16), 255)], F2[band(shr(s1, 8), 255)], F3[s2 % 256], keys[i + 3])
    end
    return last_of(SBOX, s0, s1, s2, s3, keys[last]), last_of(SBOX, s1, s2, s3, s0, keys[last + 1]),
        last_of(SBOX, s2, s3, s0, s1, keys[last + 2]), last_of(SBOX, s3, s0, s1, s2, keys[last + 3])
end

local function decrypt(keys, s0, s1, s2, s3)
    s0, s1, s2, s3 = xor(s0, keys[1]), xor(s1, keys[2]), xor(s2, keys[3]), xor(s3, keys[4])
    local last = #keys - 3
    for i = 5, last - 4, 4 do
        s0, s1, s2, s3 =
            xor(B0[shr(s0, 24)], B1[band(shr(s3, 16), 255)], B2[band(shr(s2, 8), 255)], B3[s1 % 256], keys[i]),
            xor(B0[shr(s1, 24)], B1[band(shr(s0, 16), 255)], B2[band(shr(s3, 8), 255)], B3[s2 % 256], keys[i + 1]),
            xor(B0[shr(s2, 24)], B1[band(shr(s1, 16), 255)], B2[band(shr(s0, 8), 255)], B3[s3 % 256], keys[i + 2]),
            xor(B0[shr(s3, 24)], B1[band(shr(s2, 16), 255)], B2[band(shr(s1, 8), 255)], B3[s0 % 256], keys[i + 3])
    end
    return last_of(INVERSE, s0, s3, s2, s1, keys[last]), last_of(INVERSE, s1, s0, s3, s2, keys[last + 1]),
        last_of(INVERSE, s2, s1, s0, s3, keys[last + 2]), last_of(INVERSE, s3, s2, s1, s0, keys[last + 3])
end

local function words_at(octets, at)
    local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p = byte(octets, at, at + 15)
    return word_of(a, b, c, d), word_of(e, f, g, h), word_of(i, j, k, l), word_of(m, n, o, p)
end

local function octets_at(w0, w1, w2, w3)
    local a, b, c, d = octets_of(w0)
    local e, f, g, h = octets_of(w1)
    local i, j, k, l = octets_of(w2)
    return char(a, b, c, d, e, f, g, h, i, j, k, l, octets_of(w3))
end

local function double(b)
    local function left(word, next_one)
        return xor(shl(word, 1), shr(next_one, 31))
    end
    local low = shl(b[4], 1)
    return { left(b[1], b[2]), left(b[2], b[3]), left(b[3], b[4]), b[1] >= 0x80000000 and xor(low, 0x87) or low }
end

-- A last, short block: the octets, one bit 1, zeros.
local function padded(octets)
    return words_at(octets .. "\128" .. ("\0"):rep(15 - #octets), 1)
end

local Key = {}
Key.__index = Key

local ocb = {}

function ocb.new(octets)
    if #octets ~= 16 and #octets ~= 24 and #octets ~= 32 then
        return nil
    end
    local key = setmetatable({}, Key)
    key.forward, key.backward = expand(octets)
    key.star = { encrypt(key.forward, 0, 0, 0, 0) }
    key.dollar = double(key.star)
    key.l = { [0] = double(key.dollar) }
    return key
end

-- L of a block's number: that of its trailing zero bits.
function Key:l_of(number)
    local zeros, l = 0, self.l
    while number % 2 == 0 do
        number, zeros = number / 2, zeros + 1
    end
    if not l[zeros] then -- the one before is there: numbers count up from 1
        l[zeros] = double(l[zeros - 1])
    end
    return l[zeros]
end

function Key:hash(ad)
    local o0, o1, o2, o3 = 0, 0, 0, 0
    local t0, t1, t2, t3 = 0, 0, 0, 0
    local function add(l, w0, w1, w2, w3)
        o0, o1, o2, o3 = xor(o0, l[1]), xor(o1, l[2]), xor(o2, l[3]), xor(o3, l[4])
        local e0, e1, e2, e3 = encrypt(self.forward, xor(w0, o0), xor(w1, o1), xor(w2, o2), xor(w3, o3))
        t0, t1, t2, t3 = xor(t0, e0), xor(t1, e1), xor(t2, e2), xor(t3, e3)
    end
    local rest = #ad % 16
    for i = 1, (#ad - rest) / 16 do
        add(self:l_of(i), words_at(ad, 16 * i - 15))
    end
    if rest > 0 then
        add(self.star, padded(sub(ad, -rest)))
    end
    return t0, t1, t2, t3
end

-- Nonces of 1 to 15 octets.
function Key:first_offset(nonce)
    local block = ("\0"):rep(15 - #nonce) .. "\1" .. nonce
    local bottom = byte(block, 16) % 64
    local s = { words_at(sub(block, 1, 15) .. char(byte(block, 16) - bottom), 1) }
    s = { encrypt(self.forward, s[1], s[2], s[3], s[4]) }
    s[5] = xor(s[1], shl(s[1], 8), shr(s[2], 24))
    s[6] = xor(s[2], shl(s[2], 8), shr(s[3], 24))
    local first, bits = bottom < 32 and 1 or 2, bottom % 32
    local o = {}
    for i = 0, 3 do
        local word = s[first + i]
        o[i + 1] = bits == 0 and word or xor(shl(word, bits), shr(s[first + i + 1], 32 - bits))
    end
    return o[1], o[2], o[3], o[4]
end

function Key:open(nonce, ad, sealed)
    local size = #sealed - 16
    if size < 0 then
        return nil
    end
    local o0, o1, o2, o3 = self:first_offset(nonce)
    local c0, c1, c2, c3 = 0, 0, 0, 0 -- the checksum
    local backward, out, rest = self.backward, {}, size % 16
    local blocks = (size - rest) / 16
    for i = 1, blocks do
        local l = self:l_of(i)
        o0, o1, o2, o3 = xor(o0, l[1]), xor(o1, l[2]), xor(o2, l[3]), xor(o3, l[4])
        local w0, w1, w2, w3 = words_at(sealed, 16 * i - 15)
        w0, w1, w2, w3 = decrypt(backward, xor(w0, o0), xor(w1, o1), xor(w2, o2), xor(w3, o3))
        w0, w1, w2, w3 = xor(w0, o0), xor(w1, o1), xor(w2, o2), xor(w3, o3)
        c0, c1, c2, c3 = xor(c0, w0), xor(c1, w1), xor(c2, w2), xor(c3, w3)
        out[i] = octets_at(w0, w1, w2, w3)
    end
    if rest > 0 then
        local l = self.star
        o0, o1, o2, o3 = xor(o0, l[1]), xor(o1, l[2]), xor(o2, l[3]), xor(o3, l[4])
        local p0, p1, p2, p3 = encrypt(self.forward, o0, o1, o2, o3)
        local w0, w1, w2, w3 = padded(sub(sealed, size - rest + 1, size))
        local last = sub(octets_at(xor(w0, p0), xor(w1, p1), xor(w2, p2), xor(w3, p3)), 1, rest)
        w0, w1, w2, w3 = padded(last)
        c0, c1, c2, c3 = xor(c0, w0), xor(c1, w1), xor(c2, w2), xor(c3, w3)
        out[#out + 1] = last
    end
    local d = self.dollar
    local t0, t1, t2, t3 = encrypt(
        self.forward, xor(c0, o0, d[1]), xor(c1, o1, d[2]), xor(c2, o2, d[3]), xor(c3, o3, d[4])
    )
    local h0, h1, h2, h3 = self:hash(ad)
    local w0, w1, w2, w3 = words_at(sealed, size + 1)
    if xor(t0, h0) ~= w0 or xor(t1, h1) ~= w1 or xor(t2, h2) ~= w2 or xor(t3, h3) ~= w3 then
        return nil
    end
    return concat(out)
end

return ocb
