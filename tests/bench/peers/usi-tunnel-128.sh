# usi-tunnel pair with a key of 128 bits, hence AES-128-OCB.
USI_TUNNEL_BITS=128
. "$PEERS_DIR/usi-tunnel.sh"
