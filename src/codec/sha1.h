#pragma once
// codec/sha1: SHA-1, only for protocols that name it (the WebSocket handshake). It protects nothing.

#include <string>
#include <string_view>

namespace sampan::codec {

/// The 20 raw bytes.
std::string sha1(std::string_view bytes);

}  // namespace sampan::codec
