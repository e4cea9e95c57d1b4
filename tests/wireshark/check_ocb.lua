-- lua check_ocb.lua FOLDER-OF-usi_ocb.lua VECTORS
-- tshark -X lua_script:check_ocb.lua -X lua_script1:FOLDER -X lua_script1:VECTORS -r CAPTURE
--
-- Opens every vector of tests/vectors/aes-ocb.txt with a tag of 16 octets, and each again with a changed octet, which
-- must not open. Ends with the line "opened N, refused N".

local folder, vectors = ...
package.path = folder .. "/?.lua;" .. package.path
local ocb = require("usi_ocb")

local function octets(hex)
    return (hex:gsub("%x%x", function(pair)
        return string.char(tonumber(pair, 16))
    end))
end

local function changed(text, at)
    return text:sub(1, at - 1) .. string.char((text:byte(at) + 1) % 256) .. text:sub(at + 1)
end

local opened, refused = 0, 0

local function refuse(case, key, nonce, ad, sealed)
    assert(key:open(nonce, ad, sealed) == nil, "opened what was changed: " .. case.title)
    refused = refused + 1
end

local function check(case)
    local key = assert(ocb.new(octets(case.key)))
    local nonce, ad, sealed = octets(case.nonce), octets(case.aad), octets(case.ct .. case.tag)
    if case.result == "fail" then
        return refuse(case, key, nonce, ad, sealed)
    end
    assert(key:open(nonce, ad, sealed) == octets(case.pt), "wrong: " .. case.title)
    opened = opened + 1
    refuse(case, key, nonce, ad, changed(sealed, 1))
    refuse(case, key, nonce, ad, changed(sealed, #sealed))
    refuse(case, key, nonce, ad .. "\0", sealed)
    refuse(case, key, changed(nonce, #nonce), ad, sealed)
    refuse(case, key, nonce, ad, sealed:sub(2))
end

local case = {}
for line in io.lines(vectors) do
    local name, value = line:match("^(%w+) = ?(.*)$")
    if name then
        case[name] = value
    elseif line == "" and case.title then
        if case.taglen == "16" then
            check(case)
        end
        case = {}
    end
end
if case.title and case.taglen == "16" then
    check(case)
end

assert(ocb.new(("k"):rep(15)) == nil and ocb.new("") == nil)
assert(ocb.new(("k"):rep(16)):open(("n"):rep(12), "", ("t"):rep(15)) == nil)
print(("opened %d, refused %d"):format(opened, refused))
