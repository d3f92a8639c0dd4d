#pragma once
// logger/fluentd: Fluentd's forward protocol: one MessagePack array an entry, [tag, time, record, option].

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "logger/internal/receiver.h"

namespace sampan::logger {

/// Appends values in MessagePack's format.
void pack_array(std::string& out, uint8_t size);  // at most 15
void pack_map(std::string& out, uint32_t size);
void pack_string(std::string& out, std::string_view text);
void pack_uint(std::string& out, uint64_t value);

struct FluentdStyle {
  std::string tag, container_id, container_name;
  std::map<std::string, std::string> attributes;
  bool sub_seconds = false;
};
/// `chunk` is the id that the server acknowledges, "" for none.
std::string format_fluentd(const FluentdStyle& style, const ForwardedEntry& entry, std::string_view chunk);
/// Whether the server's answer acknowledges the chunk.
bool is_fluentd_ack(std::string_view answer, std::string_view chunk);

}  // namespace sampan::logger
