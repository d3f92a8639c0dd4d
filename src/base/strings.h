#pragma once
// base/strings: the few string operations that <string> does not have. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sampan {

/// Pieces between separators; empty pieces are kept. split("", ',') is {""}.
std::vector<std::string> split(std::string_view text, char separator);
/// At most two pieces around the first separator; nullopt when there is none.
std::optional<std::pair<std::string_view, std::string_view>> split_once(std::string_view text, char separator);
std::string join(const std::vector<std::string>& pieces, std::string_view separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
/// The whole text as a decimal number, nullopt on anything else (signs only for the signed one).
std::optional<int64_t> parse_int(std::string_view text);
std::optional<uint64_t> parse_uint(std::string_view text);
/// True for one path component that is safe to create: [A-Za-z0-9][A-Za-z0-9_.-]*, at most 255 bytes.
bool is_safe_component(std::string_view text);

}  // namespace sampan
