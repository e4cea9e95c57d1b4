# Completion of usi-tunnel(1) for bash.
# shellcheck shell=bash

_usi_tunnel() {
    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} side='' first=2 option='' words=''

    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W \
            'listen connect chat send receive keygen --help --version' -- "$cur")
        return
    fi
    case $command in
    listen | connect) side=$command ;;
    chat | send | receive)
        if ((COMP_CWORD == 2)); then
            mapfile -t COMPREPLY < <(compgen -W 'listen connect --help' -- "$cur")
            return
        fi
        side=${COMP_WORDS[2]} first=3
        ;;
    esac

    # The option whose value is typed: readline takes --option=value for three words.
    if [[ $cur == '=' ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]}= cur=''
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == '=' ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}=
    else
        option=${COMP_WORDS[COMP_CWORD - 1]}
    fi
    case $option in
    --identity=)
        [[ $command == keygen ]] || _usi_tunnel_files -f
        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W 'ed25519 rsa' -- "$cur")
        return
        ;;
    --dev=) words=secrets ;;
    --user | --user=)
        mapfile -t COMPREPLY < <(compgen -u -- "$cur")
        return
        ;;
    --bits | --bits=) words='128 192 256' ;;
    --key-file | --key-file= | --trust | --trust= | --password-file | --password-file= | \
        --config | --config= | --output | --output= | -o)
        _usi_tunnel_files -f
        return
        ;;
    --directory | --directory= | -d | --provider-path | --provider-path=)
        _usi_tunnel_files -d
        return
        ;;
    --forward | --forward= | --local | --local= | -L | --nickname | --nickname= | -m | --key | --key= | \
        --name | --name= | --fingerprint | --fingerprint= | --password-fd | --password-fd= | \
        --threads | --threads= | --source | --source= | -s | --timeout | --timeout= | --retry | --retry= | \
        --handshake-timeout | --handshake-timeout= | --ask-timeout | --ask-timeout= | --idle-timeout | \
        --idle-timeout= | --drain | --drain= | --rekey-seconds | --rekey-seconds= | --rekey-bytes | \
        --rekey-bytes= | --provider | --provider= | --propquery | --propquery=)
        return
        ;;
    esac
    if [[ -z $words && $cur != -* ]]; then
        _usi_tunnel_word
        return
    fi
    [[ -n $words ]] || _usi_tunnel_options
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

# Files (-f) or folders (-d) that begin with $cur.
_usi_tunnel_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# What is no option: the path of unix:PATH, a host to connect to, or the files of `send`.
_usi_tunnel_word() {
    if [[ ${COMP_WORDS[*]:COMP_CWORD-2:2} == 'unix :' ]] ||
        { [[ $command == send ]] && ((COMP_CWORD > first)); }; then
        _usi_tunnel_files -f
    elif [[ $side == connect ]] && ((COMP_CWORD == first)); then
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur")
    fi
}

# Sets $words to the options of $command and $side.
_usi_tunnel_options() {
    words='--provider --provider-path --propquery --config --quiet --verbose --help --version'
    if [[ $command == keygen ]]; then
        words+=' --bits --output --identity --identity='
        return
    fi
    words+=' --key-file --key --name --identity --identity= --fingerprint --trust --no-remember
        --password --password-file --password-fd --ipv4 --ipv6 --handshake-timeout --ask-timeout
        --idle-timeout --drain --rekey-seconds --rekey-bytes --user --no-sandbox --dev --dev='
    case $side in
    listen) words+=' --accept-rsa --anyone' ;;
    connect) words+=' --ask-password --source --timeout --retry' ;;
    esac
    case $command in
    listen) words+=' --recv-only --send-only --progress --background --threads --forward --keep-open' ;;
    connect) words+=' --recv-only --send-only --progress --background --threads --local --check' ;;
    chat) words+=' --nickname --notifications' ;;
    send) words+=' --json' ;;
    receive) words+=' --directory --yes --overwrite --json' ;;
    *) words='' ;;
    esac
    case "$command $side" in
    'send listen') words+=' --once' ;;
    'receive listen') words+=' --keep-open' ;;
    esac
}

complete -F _usi_tunnel usi-tunnel
