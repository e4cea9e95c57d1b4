# usi-tunnel pair in password mode; the program is $USI_TUNNEL, or the one in PATH. -q: no line a connection.
USI_TUNNEL=${USI_TUNNEL:-usi-tunnel}
export XDG_STATE_HOME=$STATE_DIR/state
peer_about() { "$USI_TUNNEL" --version; }
peer_prepare() { (umask 077; od -An -tx1 -N16 /dev/urandom | tr -d ' ' >"$STATE_DIR/password"); }
usi_listen() { exec "$USI_TUNNEL" listen "127.0.0.1:$TUNNEL_PORT" -q --password-file "$STATE_DIR/password" "$@"; }
usi_connect() { exec "$USI_TUNNEL" connect "127.0.0.1:$TUNNEL_PORT" -q --password-file "$STATE_DIR/password" "$@"; }
peer_server() { usi_listen --forward "127.0.0.1:$TARGET_PORT"; }
peer_client() { usi_connect -L "127.0.0.1:$CLIENT_PORT"; }
peer_pipe_server() { usi_listen --recv-only; }
peer_pipe_client() { usi_connect --send-only; }
