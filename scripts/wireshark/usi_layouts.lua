-- What stands where in messages and records: tunnel/PROTOCOL.md, sections 2, 3 and 10.
--
-- A layout is a list of parts { field, size }. The size is a number, the name of an earlier field that holds it,
-- nil for all the rest, or below 0 for the rest but so many octets. With `when`, a part is there only if it says so of
-- the values read so far and the octets left. `record` in place of a field: the rest is the content of a record of the
-- type that this earlier field holds.

local layouts = { FILES_FIRST = 64, FILES_LAST = 95 } -- types that a chat may carry

local ML_KEM_KEY, ML_KEM_CIPHERTEXT = 1184, 1088
local KEY, IDENTITY, PASSWORD, AKA = 1, 2, 3, 4

local function with_kem(values)
    return values.flags % 2 == 1
end

local function join(...)
    local all = {}
    for _, parts in ipairs({ ... }) do
        for _, part in ipairs(parts) do
            all[#all + 1] = part
        end
    end
    return all
end

local HEADER_1 = {
    { "magic", 4 }, { "mode", 1 }, { "cipher", 1 }, { "flags", 1 }, { "name.length", 1 }, { "name", "name.length" },
    { "randms", 32 }, { "kem.key", ML_KEM_KEY, when = with_kem },
}
local FLAGS, KEM = { { "flags", 1 } }, { { "kem.ciphertext", ML_KEM_CIPHERTEXT, when = with_kem } }
local RANDNW, E, NOISE = { { "randnw", 32 } }, { { "e", 32 } }, { { "e", 32 }, { "noise.tag", 16 } }
local IDENTITY_PARTS = {
    { "identity.mark", 1 }, { "identity.spki_length", 2 }, { "identity.spki", "identity.spki_length" },
    { "identity.signature" },
}

local MESSAGE_1 = {
    [KEY] = join(HEADER_1, NOISE, { { "knock", 16 } }),
    [IDENTITY] = join(HEADER_1, E),
    [PASSWORD] = HEADER_1,
    [AKA] = join(HEADER_1, { { "aka" } }),
}
local MESSAGE_2 = {
    [KEY] = join(FLAGS, RANDNW, KEM, NOISE),
    [IDENTITY] = join(FLAGS, KEM, E, { { "identity.sealed", -16 }, { "noise.tag", 16 } }),
    [AKA] = { { "aka" } },
}
local CHALLENGE = { { "salt", 16 }, { "pb", 65 } }
local ATTEMPT = join({ { "pa", 65 } }, NOISE)
local VERDICT = join(FLAGS, KEM, NOISE)

-- The messages before the records, in their order.
layouts.messages = {
    c = { [PASSWORD] = { MESSAGE_1[PASSWORD], ATTEMPT } },
    l = { [PASSWORD] = { CHALLENGE, VERDICT } },
}
layouts.message_names = {
    c = { [PASSWORD] = { "Message (1)", "Message (3)" } },
    l = { [PASSWORD] = { "Message (2)", "Message (4)" } },
}
for _, mode in ipairs({ KEY, IDENTITY, AKA }) do
    layouts.messages.c[mode], layouts.messages.l[mode] = { MESSAGE_1[mode] }, { MESSAGE_2[mode] }
    layouts.message_names.c[mode], layouts.message_names.l[mode] = { "Message 1" }, { "Message 2" }
end

-- A rekey in password mode goes without the password.
local REKEY_1 = { [KEY] = MESSAGE_1[KEY], [IDENTITY] = MESSAGE_1[IDENTITY], [PASSWORD] = join(HEADER_1, NOISE) }
local REKEY_2 = { [KEY] = MESSAGE_2[KEY], [IDENTITY] = MESSAGE_2[IDENTITY], [PASSWORD] = VERDICT }
local PROOF = { [KEY] = { { "proof", 16 } }, [IDENTITY] = IDENTITY_PARTS, [PASSWORD] = {} }

local EMPTY, INDEX = {}, { "file.index", 4 }
local ENTRY_TIME = { { "file.mtime", 8 }, { "file.mtime_ns", 4 } }
local CHAT_TEXT = { { "chat.kind", 1 }, { "chat.text" } }
local CARRIED = { { "chat.transfer", 4 }, { "chat.carried", 1 }, { record = "chat.carried" } }

local function or_empty(layout)
    return function(size)
        return size == 0 and EMPTY or layout
    end
end

-- By type: a layout, a function that gives it for a size and a mode, or for proof and rekeys a table of modes.
local RECORDS = {
    [1] = { { "data" } },
    [2] = { { "end.count", 8 } },
    [3] = EMPTY,
    [4] = or_empty({ { "open.service", 1 } }),
    [7] = { { "abort.reason", 1 } },
    [9] = { { "ping" } },
    [10] = { { "ping" } },
    [11] = { modes = PROOF },
    [13] = EMPTY,
    [14] = { modes = REKEY_1 },
    [15] = { modes = REKEY_2 },
    [16] = EMPTY,
    [17] = MESSAGE_1[PASSWORD],
    [18] = or_empty(CHALLENGE),
    [19] = ATTEMPT,
    [20] = or_empty(VERDICT),

    [32] = { { "chat.version", 1 }, { "chat.name_length", 1 }, { "chat.name", "chat.name_length" } },
    [33] = CHAT_TEXT,
    [34] = { { "chat.to", 4 }, { "chat.text" } },
    [36] = join({ { "chat.to", 4 } }, CARRIED),
    [48] = { { "chat.id", 4 }, { "chat.name_length", 1 }, { "chat.name", "chat.name_length" }, { "chat.host", 4 } },
    [49] = {
        { "chat.id", 4 }, { "chat.name_length", 1 }, { "chat.name", "chat.name_length" }, { "chat.mode", 1 },
        { "chat.fingerprint_length", 1 }, { "chat.fingerprint", "chat.fingerprint_length" },
    },
    [50] = { { "chat.id", 4 }, { "chat.why_left", 1 } },
    [51] = join({ { "chat.from", 4 } }, CHAT_TEXT),
    [52] = { { "chat.why_refused", 1 } },
    [53] = join({ { "chat.from", 4 } }, CARRIED),

    [64] = {
        { "file.version", 1 }, { "file.files", 8 }, { "file.octets", 8 }, { "file.name_length", 1 },
        { "file.name", "file.name_length" }, { "file.things", 4 }, { "file.folders", 8 },
    },
    [65] = { { "file.answer", 1 } },
    [66] = join({ INDEX, { "file.kind", 1 }, { "file.mode", 4 } }, ENTRY_TIME, {
        { "file.size", 8 }, { "file.path_length", 2 }, { "file.path", "file.path_length" },
    }),
    [67] = { INDEX, { "file.want", 1 }, { "file.offset", 8 }, { "file.sha256", 32 }, { "file.reason", 1 } },
    [68] = { INDEX, { "file.offset", 8 } },
    [69] = { INDEX, { "file.offset", 8 }, { "file.chunk" } },
    [70] = { INDEX, { "file.zeros", 8 } },
    [71] = join({ INDEX, { "file.size", 8 } }, ENTRY_TIME, { { "file.sha256", 32 } }),
    [72] = { INDEX, { "file.reason", 1 } },
    [73] = { INDEX, { "file.reason", 1 } },
    [74] = { { "file.progress", 8 } },
    [75] = { { "file.entries", 4 } },
    [76] = { { "file.kept", 4 }, { "file.skipped", 4 }, { "file.failed", 4 } },
    [77] = { { "file.why_stopped", 1 } },
}

-- The layout of a record's content of this size, in a channel of this mode (nil: not known). nil, and whether the type
-- is known, where there is none.
function layouts.of_record(number, size, mode)
    local layout = RECORDS[number]
    if type(layout) == "function" then
        return layout(size), true
    elseif layout and layout.modes then
        return layout.modes[mode], true
    end
    return layout, layout ~= nil
end

return layouts
