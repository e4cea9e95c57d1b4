-- What has to be remembered of a channel to read its octets: how many messages each side sent, and for each direction
-- the epoch of its key and the counter of its records. Knows nothing of Wireshark.
--
-- A channel is taken through its octets once, in order.

local ocb = require("usi_ocb")

local channel = {}

local Channel = {}
Channel.__index = Channel

local MESSAGE_MAX = { c = 2048, l = 2304 }
local RECORD_MIN, RECORD_MAX, TAG = 17, 65808, 16
local PADDING_MAX, SWITCH, PASSWORD, AKA = 255, 16, 3, 4
local HEADER_MIN = 40 -- of message 1 without a name
local KEY_SIZES = { 16, 24, 32 }

local function number(octets)
    local value = 0
    for i = 1, #octets do
        value = value * 256 + octets:byte(i)
    end
    return value
end

-- Do the octets begin like a connector's first message? nil: too few to say. A record never does: its length would
-- be impossible.
function channel.begins(octets)
    if ("USI1"):sub(1, math.max(#octets - 2, 0)) ~= octets:sub(3, 6) then
        return false
    elseif #octets < 8 then
        return nil
    end
    local length, mode = number(octets:sub(1, 2)), octets:byte(7)
    return length >= HEADER_MIN and length <= MESSAGE_MAX.c and mode >= 1 and mode <= AKA
end

local function new_direction()
    return { messages = 0, epoch = 0, counter = 0, lost = false }
end

-- One whose beginning was not seen: all its octets are taken for records that do not open.
function channel.unknown()
    return setmetatable({ c = new_direction(), l = new_direction() }, Channel)
end

-- One that begins with these octets (channel.begins). connector: any value that says who that is.
function channel.new(octets, connector)
    local new = channel.unknown()
    new.connector, new.mode, new.cipher = connector, octets:byte(7), octets:byte(8)
    return new
end

-- Is a message what this sender's octets go on with, rather than a record?
function Channel:at_message(sender)
    local count = not self.mode and 0 or self.mode == PASSWORD and 2 or 1
    return self[sender].messages < count
end

-- The size of what begins with the octets, its length's own included, and the size of that. nil: too few octets to say.
-- false: impossible.
function Channel:size(sender, octets)
    local message = self:at_message(sender)
    local prefix = message and 2 or 4
    if #octets < prefix then
        return nil
    end
    local length = number(octets:sub(1, prefix))
    local least, most = 1, MESSAGE_MAX[sender]
    if not message then
        least, most = RECORD_MIN, RECORD_MAX
    end
    return length >= least and length <= most and prefix + length, prefix
end

-- The next octets of this direction cannot be told apart any more.
function Channel:lose(sender)
    self[sender].lost = self.mode ~= nil -- without a beginning, each segment is a new try
end

function Channel:is_lost(sender)
    return self[sender].lost
end

-- A message; body is nil where it was not captured. Its number, from 1.
function Channel:take_message(sender, body)
    local direction = self[sender]
    direction.messages = direction.messages + 1
    if sender == "c" and direction.messages == 1 and body then
        local name = body:byte(8) or 0
        self.rand = body:sub(9 + name, 40 + name)
    end
    return direction.messages
end

local function nonce(counter)
    local octets = {}
    for i = 12, 1, -1 do
        octets[i] = string.char(counter % 256)
        counter = (counter - counter % 256) / 256
    end
    return table.concat(octets)
end

local function open_with_any(keys, counter, length, sealed)
    for _, octets in ipairs(keys or {}) do
        local key = ocb.new(octets)
        local plain = key:open(nonce(counter), length, sealed)
        if plain then
            return plain, key
        end
    end
end

local function epoch_after(epochs, epoch)
    local next_one
    for other in pairs(epochs) do
        if other > epoch and (not next_one or other < next_one) then
            next_one = other
        end
    end
    return next_one
end

-- Where the switch to it was not captured, or not opened, the first record under a later key tells it.
local function open_as_first(direction, epochs, length, sealed)
    local epoch = epoch_after(epochs, direction.epoch)
    if epoch then
        local plain, key = open_with_any(epochs[epoch], 0, length, sealed)
        if plain then
            direction.epoch, direction.counter, direction.key = epoch, 0, key
        end
        return plain
    end
end

local function open_record(self, sender, keylog, length, sealed)
    local direction = self[sender]
    if direction.key then
        local plain = direction.key:open(nonce(direction.counter), length, sealed)
        if plain then
            return plain
        end
    end
    local size = KEY_SIZES[self.cipher] or 0
    local epochs = keylog:epochs(self.rand, sender, size)
    if not direction.key then
        if not epochs[direction.epoch] and keylog:refresh() then
            epochs = keylog:epochs(self.rand, sender, size)
        end
        local plain, key = open_with_any(epochs[direction.epoch], direction.counter, length, sealed)
        if plain then
            direction.key = key
            return plain
        end
    end
    local plain = open_as_first(direction, epochs, length, sealed)
    if plain then
        return plain
    end
    return nil, (direction.key or epochs[direction.epoch]) and "tag" or "no_key"
end

-- A plaintext's type and the size of its content; nil if it has no type, or too much padding.
local function parts(plain)
    local unpadded = #plain
    while unpadded > 0 and plain:byte(unpadded) == 0 do
        unpadded = unpadded - 1
    end
    if unpadded == 0 or #plain - unpadded > PADDING_MAX then
        return nil
    end
    return plain:byte(unpadded), unpadded - 1
end

-- A record: its length's octets and what they count, the latter nil where it was not captured. Gives epoch, counter,
-- and plain, type and size of the content, or a problem: "tag", "no_key" or "cut".
function Channel:take_record(sender, keylog, length, sealed)
    local direction, plain, problem = self[sender], nil, "cut"
    if sealed then
        problem = "no_key"
        if self.rand then
            plain, problem = open_record(self, sender, keylog, length, sealed)
        end
    end
    local taken = { epoch = direction.epoch, counter = direction.counter, plain = plain, problem = problem }
    direction.counter = direction.counter + 1
    if plain then
        taken.type, taken.size = parts(plain)
        if taken.type == SWITCH then
            direction.epoch, direction.counter, direction.key = direction.epoch + 1, 0, nil
        end
    end
    return taken
end

channel.TAG = TAG
return channel
