#pragma once
// logger/gelf: the Graylog extended log format, over UDP (compressed, chunked) or TCP (ended by a zero byte).

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "logger/internal/receiver.h"

namespace sampan::logger {

enum class GelfCompression { None, Gzip, Zlib };

/// One message. `extra` is ready JSON: `"_container_id":"...",...`.
std::string format_gelf(const std::string& host, const ForwardedEntry& entry, std::string_view extra);
/// The members that every message has.
std::string format_gelf_extra(const ForwardHello& hello);
/// Level -1 to 9, as zlib has them.
Result<std::string> compress_gelf(std::string_view message, GelfCompression compression, int level);
/// The datagrams of one message: itself, or its chunks; none when it would take more than 128 of them.
std::vector<std::string> split_gelf(std::string_view message, std::string_view id);
/// JSON's form of text that need not be UTF-8; with quotes.
std::string quote_json(std::string_view text);

}  // namespace sampan::logger
