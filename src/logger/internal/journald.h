#pragma once
// logger/journald: the native protocol of systemd-journald: one datagram an entry, NAME=value lines; a value with a
// "\n" in it follows its name and its length in eight bytes, little endian.

#include <string>
#include <string_view>

#include "logger/internal/receiver.h"

namespace sampan::logger {

void append_field(std::string& out, std::string_view name, std::string_view value);
/// The fields that every entry has.
std::string format_journal_fields(const ForwardHello& hello);
std::string format_journal_entry(const ForwardedEntry& entry, std::string_view fields);
/// Capital letters, digits and underscores, the first a letter; "" when nothing is left.
std::string journal_name(std::string_view name);

}  // namespace sampan::logger
