# Completion of usi-tunnel(1) for fish.

# Whether the subcommand of this command line, such as `chat listen`, is one of those given.
function __usi_tunnel_at
    set -l words (commandline -opc)
    set -l at "$words[2]"
    if contains -- "$at" chat send receive; and set -q words[3]
        set at "$at $words[3]"
    end
    contains -- "$at" $argv
end

# The same for kinds of subcommands.
function __usi_tunnel_is
    set -l listening listen 'chat listen' 'send listen' 'receive listen'
    set -l connecting connect 'chat connect' 'send connect' 'receive connect'
    switch $argv[1]
        case listening
            __usi_tunnel_at $listening
        case connecting
            __usi_tunnel_at $connecting
        case either
            __usi_tunnel_at $listening $connecting
        case any
            __usi_tunnel_at $listening $connecting keygen
        case pipe
            __usi_tunnel_at listen connect
        case chat
            __usi_tunnel_at 'chat listen' 'chat connect'
        case send
            __usi_tunnel_at 'send listen' 'send connect'
        case receive
            __usi_tunnel_at 'receive listen' 'receive connect'
        case files
            __usi_tunnel_is send; or __usi_tunnel_is receive
    end
end

complete -c usi-tunnel -f

# Subcommands, and their sides
complete -c usi-tunnel -n '__usi_tunnel_at ""' -a listen -d 'Wait for a peer'
complete -c usi-tunnel -n '__usi_tunnel_at ""' -a connect -d 'Connect to a listener'
complete -c usi-tunnel -n '__usi_tunnel_at ""' -a chat -d 'Talk with several users'
complete -c usi-tunnel -n '__usi_tunnel_at ""' -a send -d 'Give files and folders'
complete -c usi-tunnel -n '__usi_tunnel_at ""' -a receive -d 'Take files and folders'
complete -c usi-tunnel -n '__usi_tunnel_at ""' -a keygen -d 'Make a key'
complete -c usi-tunnel -n '__usi_tunnel_at chat send receive' -a listen -d 'Wait for the other side'
complete -c usi-tunnel -n '__usi_tunnel_at chat send receive' -a connect -d 'Connect to it'
complete -c usi-tunnel -n '__usi_tunnel_at "" chat send receive; or __usi_tunnel_is any' -s h -l help -d 'Print the options'
complete -c usi-tunnel -n '__usi_tunnel_at ""; or __usi_tunnel_is any' -l version -d 'Print versions'

# Words
complete -c usi-tunnel -n '__usi_tunnel_is connecting' -a '(__fish_print_hostnames)' -d Host
complete -c usi-tunnel -n '__usi_tunnel_is send' -F

# What is joined
complete -c usi-tunnel -n '__usi_tunnel_at listen' -l forward -x -d 'Join every peer to this target'
complete -c usi-tunnel -n '__usi_tunnel_at connect' -s L -l local -x -d 'Listen here, and carry each connection'
complete -c usi-tunnel -n '__usi_tunnel_at listen "receive listen"' -s k -l keep-open -d 'Go on after a peer has ended'
complete -c usi-tunnel -n '__usi_tunnel_is pipe' -l recv-only -d 'Only receive'
complete -c usi-tunnel -n '__usi_tunnel_is pipe' -l send-only -d 'Only send'
complete -c usi-tunnel -n '__usi_tunnel_at connect' -l check -d 'Authenticate and close'
complete -c usi-tunnel -n '__usi_tunnel_is pipe' -l progress -d 'Show how much has crossed'
complete -c usi-tunnel -n '__usi_tunnel_is pipe' -s f -l background -d 'Go to the background once ready'
complete -c usi-tunnel -n '__usi_tunnel_is pipe' -l threads -x -d 'Loops of a forward'

# Chat, files
complete -c usi-tunnel -n '__usi_tunnel_is chat' -s m -l nickname -x -d 'What the others see'
complete -c usi-tunnel -n '__usi_tunnel_is chat' -s n -l notifications -d 'Notify the desktop too'
complete -c usi-tunnel -n '__usi_tunnel_is receive' -s d -l directory -x -a '(__fish_complete_directories)' -d 'Put what comes into this folder'
complete -c usi-tunnel -n '__usi_tunnel_is receive' -l yes -d 'Take what is offered without asking'
complete -c usi-tunnel -n '__usi_tunnel_is receive' -l overwrite -d 'Replace files that are there'
complete -c usi-tunnel -n '__usi_tunnel_at "send listen"' -l once -d 'End when one receiver has got everything'
complete -c usi-tunnel -n '__usi_tunnel_is files' -l json -d 'Print what happens as JSON'

# Key
complete -c usi-tunnel -n '__usi_tunnel_is either' -l key-file -r -F -d 'The shared key is in this file'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l key -x -d 'The shared key'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l name -x -d 'Sent by connect, expected by listen'
complete -c usi-tunnel -n '__usi_tunnel_at keygen' -l bits -x -a '128 192 256' -d 'Size of the key'
complete -c usi-tunnel -n '__usi_tunnel_at keygen' -s o -l output -r -F -d 'Make this file'

# Identity
complete -c usi-tunnel -n '__usi_tunnel_is either' -l identity -F -a 'ed25519 rsa' -d 'Show a signature key'
complete -c usi-tunnel -n '__usi_tunnel_at keygen' -l identity -a 'ed25519 rsa' -d 'A private key'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l fingerprint -x -d 'Take the peer with this key'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l trust -r -F -d 'Take the peers in this file'
complete -c usi-tunnel -n '__usi_tunnel_is listening' -l accept-rsa -d 'Take peers with RSA keys too'
complete -c usi-tunnel -n '__usi_tunnel_is listening' -l anyone -d 'Take every peer'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l no-remember -d 'Do not write accepted peers down'
complete -c usi-tunnel -n '__usi_tunnel_is connecting' -l ask-password -d 'Let the listener prove a password too'

# Password
complete -c usi-tunnel -n '__usi_tunnel_is either' -l password -d 'Ask for a password, or make one up'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l password-file -r -F -d 'The password is in this file'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l password-fd -x -d 'The password comes from this descriptor'

# Addresses
complete -c usi-tunnel -n '__usi_tunnel_is connecting' -s s -l source -x -d 'Connect from this address'
complete -c usi-tunnel -n '__usi_tunnel_is either' -s 4 -l ipv4 -d 'IPv4 only'
complete -c usi-tunnel -n '__usi_tunnel_is either' -s 6 -l ipv6 -d 'IPv6 only'

# Limits and timers
complete -c usi-tunnel -n '__usi_tunnel_is connecting' -l timeout -x -d 'Seconds to connect'
complete -c usi-tunnel -n '__usi_tunnel_is connecting' -l retry -x -d 'Seconds to go on trying'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l handshake-timeout -x -d 'Seconds to authenticate'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l ask-timeout -x -d 'Seconds to answer a question'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l idle-timeout -x -d 'Seconds without data until the end'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l drain -x -d 'Seconds to finish after SIGTERM'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l rekey-seconds -x -d 'Until new keys are agreed on'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l rekey-bytes -x -d 'The same by volume'

# OpenSSL, and what all have
complete -c usi-tunnel -n '__usi_tunnel_is any' -l provider -x -d 'Load this OpenSSL provider too'
complete -c usi-tunnel -n '__usi_tunnel_is any' -l provider-path -x -a '(__fish_complete_directories)' -d 'Look for providers here first'
complete -c usi-tunnel -n '__usi_tunnel_is any' -l propquery -x -d 'Choose algorithms by their properties'
complete -c usi-tunnel -n '__usi_tunnel_is any' -l config -r -F -d 'Read options from this file'
complete -c usi-tunnel -n '__usi_tunnel_is any' -s q -l quiet -d 'Print errors only'
complete -c usi-tunnel -n '__usi_tunnel_is any' -s v -l verbose -d 'Print handshakes, rekeys and ends too'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l user -x -a '(__fish_complete_users)' -d 'Started by root, become this user'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l no-sandbox -d 'Keep all rights'
complete -c usi-tunnel -n '__usi_tunnel_is either' -l dev -a secrets -d 'Explain each step'
