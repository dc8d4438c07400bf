// Fuzz bodies of the handshake: what a stranger may send before it is authenticated.
#pragma once

#include "base/bytes.h"

namespace wormhole::session {

// A host fed by `input`, in pieces; it must neither crash nor let anyone in.
void fuzz_server_handshake(Bytes input);
// A client fed by `input` in place of the host's reply and TLS messages.
void fuzz_client_handshake(Bytes input);
// Either of them: the first byte chooses, so that one corpus serves both.
void fuzz_handshake(Bytes input);

}  // namespace wormhole::session
