# usi-tunnel pair in identity mode, Ed25519 kept keys, each known to the other; the program is $USI_TUNNEL, or the one in PATH. -q: no line a connection.
USI_TUNNEL=${USI_TUNNEL:-usi-tunnel}
export XDG_STATE_HOME=$STATE_DIR/state
peer_about() { "$USI_TUNNEL" --version; }
peer_prepare() {
    for side in listener connector; do
        "$USI_TUNNEL" keygen --identity=ed25519 -o "$STATE_DIR/ed25519-$side" 2>"$STATE_DIR/ed25519-$side.said"
        sed -n 's/.*sha256:\([0-9a-f]*\).*/\1/p' "$STATE_DIR/ed25519-$side.said" >"$STATE_DIR/ed25519-$side.fingerprint"
    done
}
usi_listen() { exec "$USI_TUNNEL" listen "127.0.0.1:$TUNNEL_PORT" -q --identity="$STATE_DIR/ed25519-listener" --trust "$STATE_DIR/ed25519-connector.fingerprint" "$@"; }
usi_connect() { exec "$USI_TUNNEL" connect "127.0.0.1:$TUNNEL_PORT" -q --identity="$STATE_DIR/ed25519-connector" --trust "$STATE_DIR/ed25519-listener.fingerprint" "$@"; }
peer_server() { usi_listen --forward "127.0.0.1:$TARGET_PORT"; }
peer_client() { usi_connect -L "127.0.0.1:$CLIENT_PORT"; }
peer_pipe_server() { usi_listen --recv-only; }
peer_pipe_client() { usi_connect --send-only; }
