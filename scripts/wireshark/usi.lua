-- USI in Wireshark and tshark: names every message and record of tunnel/PROTOCOL.md, and with a key log opens them.
--
--   tshark -X lua_script:scripts/wireshark/usi.lua -i any -f 'tcp port 12800' -V
--   tshark -X lua_script:scripts/wireshark/usi.lua -o usi.keylog:keys -r capture.pcap -V
--   wireshark -X lua_script:scripts/wireshark/usi.lua capture.pcap
--
-- or copy the folder to where Wireshark looks for plugins (Help, About, Folders: Personal Lua Plugins). Wireshark 4.0
-- or newer.
--
-- The key log is what usi-tunnel writes where USI_KEYLOG is set; it opens everything that it covers, to anybody who has
-- it. Wireshark takes it from the preference usi.keylog, or else from USI_KEYLOG in its own environment:
--
--   USI_KEYLOG=keys usi-tunnel listen --key-file key        (one side's is enough)
--
-- Filters: usi, usi.message, usi.mode, usi.type == 1, usi.data contains "hello", usi.chat.text, usi.expert.tag. The
-- data of one direction as octets:
--
--   tshark ... -Y 'usi.from == "connector"' -T fields -e usi.data | tr -d ',\n' | xxd -r -p
--
-- TCP port 12800 is USI. On other ports a connection that begins like one is recognised, but for those that Wireshark
-- holds for something else: there, Decode As (-d tcp.port==7000,usi) or the preference tcp.try_heuristic_first. If the
-- capture has segments out of order, set tcp.reassemble_out_of_order. A connection whose beginning was not captured
-- cannot be opened. Wireshark 4.4 loads no scripts for root.
--
-- usi_ocb.lua has the cipher, usi_keylog.lua the key log, usi_channel.lua what is remembered of a channel,
-- usi_fields.lua the names and usi_layouts.lua what stands where.

local folder = debug.getinfo(1, "S").source:gsub("^@", ""):match("^(.*[/\\])") or "./"
package.path = folder .. "?.lua;" .. package.path

local channels = require("usi_channel")
local fields = require("usi_fields")
local keylogs = require("usi_keylog")
local layouts = require("usi_layouts")

local PORT, TAG = 12800, channels.TAG
local HEAD = 8 -- octets that tell what comes: of a first message its length, magic, mode and cipher

local usi = Proto("usi", "USI channel")
local F, TEXT = fields.register(usi)
local EXPERTS = fields.register_experts(usi)
usi.prefs.keylog = Pref.string(
    "Key log", os.getenv("USI_KEYLOG") or "", "The file that usi-tunnel writes its keys to, where USI_KEYLOG is set"
)

-- A capture is read in order once, and then in any: what the first visit found out about the units (messages, records)
-- of a frame is kept, by the frame's number and the unit's in it.
local keylog, channel_of, units_of

function usi.init()
    keylog, channel_of, units_of = keylogs.new(usi.prefs.keylog), {}, {}
end

-- ---- the first visit ----

-- The channel of a packet, and whether the packet's sender is "c" or "l" there; nil: too few octets to say.
local function find_channel(pinfo, head)
    local source = tostring(pinfo.src) .. " " .. pinfo.src_port
    local target = tostring(pinfo.dst) .. " " .. pinfo.dst_port
    local ends = source < target and source .. " " .. target or target .. " " .. source
    local begins = channels.begins(head)
    if begins then -- the ports may have been used before
        channel_of[ends] = channels.new(head, source)
    elseif not channel_of[ends] then
        if begins == nil then
            return nil
        end
        channel_of[ends] = channels.unknown()
        channel_of[ends].connector = pinfo.src_port == PORT and target or source
    end
    local channel = channel_of[ends]
    return channel, channel.connector == source and "c" or "l"
end

local function rest_lost(channel, sender, size, why)
    if channel then
        channel:lose(sender)
    end
    return { kind = "lost", sender = sender or "c", size = size, why = why }
end

local function take_unit(channel, sender, tvb, offset, size, prefix)
    local unit = { sender = sender, size = size, prefix = prefix, mode = channel.mode }
    local captured = offset + size <= tvb:len()
    local body = captured and tvb:raw(offset + prefix, size - prefix) or nil
    if channel:at_message(sender) then
        unit.kind, unit.number = "message", channel:take_message(sender, body)
    else
        unit.kind = "record"
        unit.record = channel:take_record(sender, keylog, captured and tvb:raw(offset, prefix) or nil, body)
    end
    return unit
end

-- The unit that begins at the offset; nil, and how many octets more are needed (nil: one), if it is not all there.
local function first_visit(tvb, pinfo, offset)
    local captured, reported = math.max(tvb:len() - offset, 0), tvb:reported_len() - offset
    local can_wait = pinfo.can_desegment > 0 and captured == reported
    local head = captured > 0 and tvb:raw(offset, math.min(captured, HEAD)) or ""
    local channel, sender = find_channel(pinfo, head)
    local size, prefix
    if channel then
        if channel:is_lost(sender) then
            return rest_lost(channel, sender, reported, "lost")
        end
        size, prefix = channel:size(sender, head)
        if size == false then
            return rest_lost(channel, sender, reported, channel.mode and "length" or "lost")
        end
    end
    if size and size <= reported then
        return take_unit(channel, sender, tvb, offset, size, prefix)
    elseif can_wait then
        return nil, size and size - reported
    end
    return rest_lost(channel, sender, reported, "cut")
end

-- ---- what is shown ----

local function note(tree, expert, text)
    if text then
        tree:add_proto_expert_info(EXPERTS[expert], text)
    else
        tree:add_proto_expert_info(EXPERTS[expert])
    end
end

local function named(names, number)
    return names[number] or ("%s"):format(number)
end

local function counted(size)
    return size == 1 and "1 octet" or size .. " octets"
end

local function add_part(tree, name, range)
    if TEXT[name] then
        return tree:add_packet_field(F[name], range, ENC_UTF_8)
    end
    local item = tree:add(F[name], range)
    if name == "flags" then
        item:add(F["flags.kem"], range)
    end
    return item
end

local show_carried

-- A layout from an offset up to another: the values of its numbers, by field.
local function show_layout(layout, tvb, at, stop, tree, mode)
    local values = {}
    for _, part in ipairs(layout) do
        local name, size = part[1], part[2]
        if part.record then
            show_carried(values[part.record], tvb, at, stop, tree, mode)
            return values
        elseif not part.when or part.when(values, stop - at) then
            local left = stop - at
            if type(size) == "string" then
                size = values[size]
            elseif not size or size < 0 then
                size = left + (size or 0)
            end
            if size < 0 or size > left then
                note(tree, "form", "Too short: " .. name .. " is cut off")
                return values
            end
            if size > 0 then
                local range = tvb(at, size)
                add_part(tree, name, range)
                values[name] = size <= 4 and range:uint() or size == 8 and range:uint64() or nil
            end
            at = at + size
        end
    end
    if at < stop then
        note(tree, "form", "Too long by " .. counted(stop - at))
    end
    return values
end

-- The content of a record.
local function show_content(number, tvb, at, stop, tree, mode)
    local layout, known = layouts.of_record(number, stop - at, mode)
    if layout then
        return show_layout(layout, tvb, at, stop, tree, mode)
    elseif not known then
        note(tree, "type", "Unknown record type: " .. named(fields.types, number))
    end
    return {}
end

-- A record of files within one of chat, and no other: what it carries carries nothing again.
show_carried = function(number, ...)
    if number >= layouts.FILES_FIRST and number <= layouts.FILES_LAST then
        show_content(number, ...)
    else
        note(select(4, ...), "form", "Only records of files are carried")
    end
end

local function carried(values)
    return named(fields.types, values["chat.carried"])
end

-- What else than its type the info column says of a record.
local DETAILS = {
    [1] = function(_, size)
        return counted(size)
    end,
    [2] = function(values)
        return "count " .. tostring(values["end.count"])
    end,
    [4] = function(values)
        return named(fields.services, values["open.service"] or 0)
    end,
    [7] = function(values)
        return named(fields.reasons, values["abort.reason"])
    end,
    [36] = carried,
    [53] = carried,
}

local function show_plain(record, tree, mode)
    local tvb = ByteArray.new(record.plain, true):tvb("Opened record")
    local number, size = record.type, record.size
    if not number then
        note(tree, "form", "No type, or more than 255 octets of padding")
        return "record of wrong form"
    end
    tree:add(F["type"], tvb(size, 1))
    local values = show_content(number, tvb, 0, size, tree, mode)
    if size + 1 < tvb:len() then
        tree:add(F["record.padding"], tvb(size + 1))
    end
    local detail = DETAILS[number] and DETAILS[number](values, size)
    return named(fields.types, number) .. (detail and ", " .. detail or "")
end

local function show_record(unit, tvb, offset, tree)
    local record = unit.record
    tree:add(F["record.epoch"], record.epoch):set_generated()
    local low = record.counter % 0x100000000
    tree:add(F["record.counter"], UInt64(low, (record.counter - low) / 0x100000000)):set_generated()
    if record.problem == "cut" then
        note(tree, "cut")
        return "record, not captured as a whole"
    end
    tree:add(F["record.length"], tvb(offset, unit.prefix))
    local sealed = unit.size - unit.prefix - TAG
    tree:add(F["record.sealed"], tvb(offset + unit.prefix, sealed))
    tree:add(F["record.tag"], tvb(offset + unit.size - TAG, TAG))
    if record.plain then
        return show_plain(record, tree, unit.mode)
    elseif record.problem == "tag" then
        note(tree, "tag")
        return "record with a wrong tag"
    end
    local why = unit.mode and keylog:problem() or "the beginning of the connection was not captured"
    note(tree, "no_key", "No key for this record: " .. why)
    return "record, " .. counted(sealed)
end

local function show_message(unit, tvb, offset, tree)
    local name = layouts.message_names[unit.sender][unit.mode][unit.number]
    tree:add(F["message"], name):set_generated()
    if offset + unit.size > tvb:len() then
        note(tree, "cut")
    else
        tree:add(F["length"], tvb(offset, unit.prefix))
        local layout = layouts.messages[unit.sender][unit.mode][unit.number]
        show_layout(layout, tvb, offset + unit.prefix, offset + unit.size, tree, unit.mode)
    end
    return name .. ", " .. fields.modes[unit.mode] .. " mode"
end

local function show_lost(unit, _, _, tree)
    note(tree, unit.why)
    return counted(unit.size) .. " without a known place"
end

local SHOW = { message = show_message, record = show_record, lost = show_lost }

local function show(unit, tvb, pinfo, tree, offset, ordinal)
    local from = math.min(offset, tvb:len()) -- less than the unit may have been captured, or nothing
    local branch = tree:add(usi, tvb(from, math.min(offset + unit.size, tvb:len()) - from))
    branch:add(F["from"], fields.sides[unit.sender]):set_generated()
    local text = SHOW[unit.kind](unit, tvb, offset, branch)
    branch:append_text(", " .. fields.sides[unit.sender] .. ": " .. text)
    if ordinal == 1 then
        pinfo.cols.protocol = "USI"
        pinfo.cols.info = fields.sides[unit.sender] .. ": " .. text
        pinfo.cols.info:fence()
    else
        pinfo.cols.info:append("; " .. text)
    end
end

-- ---- the dissector ----

-- The frame's next unit, counted over all calls for this visit: TCP calls once for what it put together and again for
-- what follows it in the same segment.
local function next_ordinal(pinfo)
    return (tonumber(pinfo.private["usi.ordinal"]) or 0) + 1
end

local function dissect(tvb, pinfo, tree)
    local offset, reported = 0, tvb:reported_len()
    local units = units_of[pinfo.number]
    if not units or (not pinfo.visited and next_ordinal(pinfo) == 1) then
        units = {} -- frames that a read filter drops have the number of the one behind them
        units_of[pinfo.number] = units
    end
    while offset < reported do
        local ordinal = next_ordinal(pinfo)
        local unit, needed = units[ordinal], nil
        if not pinfo.visited then
            unit, needed = first_visit(tvb, pinfo, offset)
            units[ordinal] = unit
        end
        if not unit or offset + unit.size > reported then
            pinfo.desegment_offset = offset
            pinfo.desegment_len = needed or DESEGMENT_ONE_MORE_SEGMENT
            return reported
        end
        pinfo.private["usi.ordinal"] = tostring(ordinal)
        show(unit, tvb, pinfo, tree, offset, ordinal)
        offset = offset + unit.size
    end
    return reported
end

function usi.dissector(tvb, pinfo, tree)
    return dissect(tvb, pinfo, tree)
end

usi:register_heuristic("tcp", function(tvb, pinfo, tree)
    if not channels.begins(tvb:raw(0, math.min(tvb:len(), HEAD))) then
        return false
    end
    pinfo.conversation = usi -- what follows does not look like anything
    dissect(tvb, pinfo, tree)
    return true
end)

DissectorTable.get("tcp.port"):add(PORT, usi)
