#pragma once
// logs/local_entry: one entry of Docker's `local` format.
//
//   length (4 bytes, big endian) | LogEntry | length again, so that the file can be read from its end
//   LogEntry { source = 1; time_nano = 2; line = 3; partial = 4; partial_log_metadata = 5; attrs = 6 }
//   partial_log_metadata { last = 1; id = 2; ordinal = 3 }      attrs { key = 1; value = 2 }

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "logs/internal/line_splitter.h"

namespace sampan::logs {

inline constexpr size_t kLengthBytes = 4;
inline constexpr uint32_t kMaxLocalEntry = 1 << 20;  // none of ours is longer

uint32_t read_length(const char* bytes);
/// The attributes as they stand in every entry.
std::string format_local_attributes(const std::map<std::string, std::string>& attributes);
/// Appends the entry with its two lengths.
void append_local_entry(std::string& out, const Entry& entry, std::string_view attributes);
/// One entry without its lengths; false when it is none.
bool parse_local_entry(std::string_view bytes, Line& out);
/// Where the last whole entry of the file ends.
Result<int64_t> find_local_end(int fd, int64_t size);

}  // namespace sampan::logs
