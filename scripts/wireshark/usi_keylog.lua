-- The key log: a file of lines
--
--   USI_KEY <RANDms of the first handshake, 64 hex digits> <epoch, 0 first> <c|l: the sender> <key, hex>
--
-- which grows while a capture runs. Any other line is passed over.

local Keylog = {}
Keylog.__index = Keylog

local keylog = {}

local DIGITS_MAX = 15 -- of an epoch: a number that every Lua holds exactly

function keylog.new(path)
    return setmetatable({ path = path, read = 0, keys = {} }, Keylog)
end

local function from_hex(hex)
    return (hex:gsub("%x%x", function(pair)
        return string.char(tonumber(pair, 16))
    end))
end

local function child(parent, name)
    parent[name] = parent[name] or {}
    return parent[name]
end

function Keylog:take_line(line)
    local rand, epoch, sender, hex = line:match("^USI_KEY (%x+) (%d+) ([cl]) (%x+)%s*$")
    if not rand or #rand ~= 64 or #epoch > DIGITS_MAX or (#hex ~= 32 and #hex ~= 48 and #hex ~= 64) then
        return
    end
    local key = from_hex(hex)
    local list = child(child(child(self.keys, from_hex(rand)), sender .. #key), tonumber(epoch))
    for _, other in ipairs(list) do
        if other == key then -- both ends of a channel may write into one file
            return
        end
    end
    list[#list + 1] = key
end

-- Reads what was added since; true if there was something.
function Keylog:refresh()
    local file = self.path ~= "" and io.open(self.path, "rb")
    if not file then
        return false
    end
    local size = file:seek("end") or 0
    if size < self.read then -- another file by now
        self.read, self.keys = 0, {}
    end
    local grown = size > self.read and file:seek("set", self.read)
    local text = grown and file:read("*a") or ""
    file:close()
    local whole = text:match("^.*\n") -- the last line may still be on its way
    if not whole then
        return false
    end
    self.read = self.read + #whole
    for line in whole:gmatch("[^\n]+") do
        self:take_line(line)
    end
    return true
end

-- The keys of a direction that have this size, by epoch: each a list, as a wrong line must not hide a right one.
function Keylog:epochs(rand, sender, size)
    local directions = self.keys[rand]
    return directions and directions[sender .. size] or {}
end

-- Why there may be no key.
function Keylog:problem()
    if self.path == "" then
        return "set the preference usi.keylog, or USI_KEYLOG in the environment, to a key log"
    end
    local file, why = io.open(self.path, "rb")
    if not file then
        return "the key log cannot be read: " .. why
    end
    file:close()
    return "it is not in " .. self.path
end

return keylog
