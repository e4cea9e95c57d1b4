# usi-tunnel pair, AES-256-OCB; the program is $USI_TUNNEL, or the one in PATH. -q: no line a connection.
USI_TUNNEL=${USI_TUNNEL:-usi-tunnel}
USI_TUNNEL_BITS=${USI_TUNNEL_BITS:-256}
peer_about() { "$USI_TUNNEL" --version; }
peer_prepare() { "$USI_TUNNEL" keygen --bits "$USI_TUNNEL_BITS" -o "$STATE_DIR/usi.key"; }
peer_server() { exec "$USI_TUNNEL" listen "127.0.0.1:$TUNNEL_PORT" -q --key-file "$STATE_DIR/usi.key" --forward "127.0.0.1:$TARGET_PORT"; }
peer_client() { exec "$USI_TUNNEL" connect "127.0.0.1:$TUNNEL_PORT" -q --key-file "$STATE_DIR/usi.key" -L "127.0.0.1:$CLIENT_PORT"; }
peer_pipe_server() { exec "$USI_TUNNEL" listen "127.0.0.1:$TUNNEL_PORT" -q --key-file "$STATE_DIR/usi.key" --recv-only; }
peer_pipe_client() { exec "$USI_TUNNEL" connect "127.0.0.1:$TUNNEL_PORT" -q --key-file "$STATE_DIR/usi.key" --send-only; }
