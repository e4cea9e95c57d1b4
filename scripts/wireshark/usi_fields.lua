-- What Wireshark knows by name: the fields usi.*, the names of their values, and the expert notes.

local fields = {}

local MODES = { "key", "identity", "password", "AKA (set aside)" }
local CIPHERS = { "AES-128-OCB", "AES-192-OCB", "AES-256-OCB" }
local SIDES = { c = "connector", l = "listener" }

fields.types = {
    "data", "end", "bye", "open", "opened (set aside)", "refused (set aside)", "abort", "offer (set aside)", "ping",
    "pong", "proof", "resync (set aside)", "ask", "rekey 1", "rekey 2", "switch", "question", "challenge", "attempt",
    "verdict",
    [32] = "chat hello", [33] = "chat say", [34] = "chat tell", [36] = "chat carry",
    [48] = "chat welcome", [49] = "chat joined", [50] = "chat left", [51] = "chat said", [52] = "chat refused",
    [53] = "chat carry",
    [64] = "file offer", [65] = "file answer", [66] = "file entry", [67] = "file want", [68] = "file begin",
    [69] = "file chunk", [70] = "file hole", [71] = "file done", [72] = "file spoilt", [73] = "file kept",
    [74] = "file progress", [75] = "file all", [76] = "file over", [77] = "file stop",
}

fields.reasons = {
    "the program failed", "its own input or output failed", "it takes no data", "taken by another peer",
    "its target cannot be reached", "not permitted", "nothing moved for too long", "it is being stopped",
    "it does not know what was asked for", "its user did not accept this identity",
}

local SERVICES = { [0] = "pipe", "chat", "give files", "take files" }
local MARKS = { [0] = "a fresh key", "a kept key" }
local KINDS_OF_TEXT = { [0] = "say", "act", "told in private" }
local WHY_LEFT = { [0] = "left", "cut off", "too slow", "the host closes" }
local WHY_REFUSED = { "no such member", "the room is full", "too many transfers" }
local ANSWERS = { [0] = "no", "yes" }
local KINDS_OF_ENTRY = { "file", "folder", "end of a folder" }
local WANTS = { [0] = "skip", "wanted", "compare" }
local FILE_REASONS = {
    [0] = "none", "the hash is wrong", "it cannot be written", "something of that name exists", "the name is refused",
    "neither a file nor a folder", "another receiver is at it", "it cannot be read", "it changed while it was read",
}

local STOP_REASONS = { "its user wants no more of it", "it cannot go on", "the other side broke the rules" }

fields.modes, fields.ciphers, fields.sides, fields.services = MODES, CIPHERS, SIDES, SERVICES
fields.file_reasons = FILE_REASONS

-- Name behind "usi.", kind, label, names of values.
local LIST = {
    { "from", "string", "From" },
    { "message", "string", "Message" },
    { "length", "uint16", "Length" },

    { "magic", "string", "Magic" },
    { "mode", "uint8", "Mode", MODES },
    { "cipher", "uint8", "Cipher", CIPHERS },
    { "flags", "uint8", "Flags" },
    { "name.length", "uint8", "Name length" },
    { "name", "text", "Name" },
    { "randms", "bytes", "RANDms" },
    { "randnw", "bytes", "RANDnw" },
    { "kem.key", "bytes", "ML-KEM-768 key" },
    { "kem.ciphertext", "bytes", "ML-KEM-768 ciphertext" },
    { "e", "bytes", "Public key e" },
    { "noise.tag", "bytes", "Tag of the Noise message" },
    { "knock", "bytes", "Knock" },
    { "identity.sealed", "bytes", "Sealed identity" },
    { "salt", "bytes", "Salt" },
    { "pa", "bytes", "pA" },
    { "pb", "bytes", "pB" },
    { "aka", "bytes", "AKA, behind its header" },

    { "record.length", "uint32", "Length" },
    { "record.sealed", "bytes", "Ciphertext" },
    { "record.tag", "bytes", "Tag" },
    { "record.epoch", "uint32", "Epoch of the key" },
    { "record.counter", "uint64", "Counter" },
    { "record.padding", "bytes", "Padding" },
    { "type", "uint8", "Type", fields.types },

    { "data", "bytes", "Data" },
    { "end.count", "uint64", "Octets of data sent" },
    { "open.service", "uint8", "Service", SERVICES },
    { "abort.reason", "uint8", "Reason", fields.reasons },
    { "ping", "bytes", "Octets of the ping" },
    { "proof", "bytes", "SRES" },
    { "identity.mark", "uint8", "Mark", MARKS },
    { "identity.spki_length", "uint16", "SPKI length" },
    { "identity.spki", "bytes", "SPKI" },
    { "identity.signature", "bytes", "Signature" },

    { "chat.version", "uint8", "Version" },
    { "chat.name_length", "uint8", "Name length" },
    { "chat.name", "text", "Name" },
    { "chat.id", "uint32", "Member" },
    { "chat.host", "uint32", "Host" },
    { "chat.to", "uint32", "To" },
    { "chat.from", "uint32", "From" },
    { "chat.transfer", "uint32", "Transfer" },
    { "chat.carried", "uint8", "Carried type", fields.types },
    { "chat.kind", "uint8", "Kind", KINDS_OF_TEXT },
    { "chat.text", "text", "Text" },
    { "chat.mode", "uint8", "Mode", MODES },
    { "chat.fingerprint_length", "uint8", "Fingerprint length" },
    { "chat.fingerprint", "bytes", "Fingerprint" },
    { "chat.why_left", "uint8", "Why", WHY_LEFT },
    { "chat.why_refused", "uint8", "Why", WHY_REFUSED },

    { "file.version", "uint8", "Version" },
    { "file.files", "uint64", "Files" },
    { "file.octets", "uint64", "Octets" },
    { "file.name_length", "uint8", "Name length" },
    { "file.name", "text", "Name" },
    { "file.things", "uint32", "Things named" },
    { "file.folders", "uint64", "Folders" },
    { "file.answer", "uint8", "Answer", ANSWERS },
    { "file.index", "uint32", "Entry" },
    { "file.kind", "uint8", "Kind", KINDS_OF_ENTRY },
    { "file.mode", "octal", "Mode" },
    { "file.mtime", "int64", "Modified, in seconds of Unix time" },
    { "file.mtime_ns", "uint32", "and nanoseconds" },
    { "file.size", "uint64", "Size" },
    { "file.path_length", "uint16", "Path length" },
    { "file.path", "text", "Path" },
    { "file.want", "uint8", "Want", WANTS },
    { "file.offset", "uint64", "Offset" },
    { "file.sha256", "bytes", "SHA-256" },
    { "file.reason", "uint8", "Reason", FILE_REASONS },
    { "file.why_stopped", "uint8", "Why", STOP_REASONS },
    { "file.chunk", "bytes", "Octets of the file" },
    { "file.zeros", "uint64", "Zeros" },
    { "file.progress", "uint64", "Octets so far" },
    { "file.entries", "uint32", "Entries" },
    { "file.kept", "uint32", "Kept" },
    { "file.skipped", "uint32", "Skipped" },
    { "file.failed", "uint32", "Failed" },
}

local function make(name, kind, label, values)
    if kind == "text" then
        return ProtoField.string(name, label, base.UNICODE or base.NONE)
    elseif kind == "octal" then
        return ProtoField.uint32(name, label, base.OCT)
    elseif kind == "bytes" or kind == "string" then
        return ProtoField[kind](name, label)
    end
    return ProtoField[kind](name, label, base.DEC, values)
end

-- The fields by name, and the names of those that are UTF-8 text.
function fields.register(proto)
    local by_name, text = {}, {}
    for _, of in ipairs(LIST) do
        local name, kind = of[1], of[2]
        by_name[name] = make("usi." .. name, kind, of[3], of[4])
        text[name] = kind == "text" or nil
    end
    by_name["flags.kem"] = ProtoField.bool("usi.flags.kem", "ML-KEM", 8, nil, 1)
    proto.fields = by_name
    return by_name, text
end

function fields.register_experts(proto)
    local experts = {}
    local function add(name, group, severity, text)
        experts[name] = ProtoExpert.new("usi.expert." .. name, text, expert.group[group], expert.severity[severity])
    end
    add("tag", "DECRYPTION", "ERROR", "The tag is wrong: changed on its way, or another key")
    add("no_key", "DECRYPTION", "NOTE", "No key for this record")
    add("type", "PROTOCOL", "WARN", "Unknown record type")
    add("form", "MALFORMED", "ERROR", "Not of the form that it should have")
    add("length", "MALFORMED", "ERROR", "Impossible length")
    add("lost", "UNDECODED", "NOTE", "No place known for these octets")
    add("cut", "UNDECODED", "WARN", "Not captured as a whole")
    proto.experts = experts
    return experts
end

return fields
