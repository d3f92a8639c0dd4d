#include "cgroup/internal/files.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/strings.h"
#include "sys/file.h"

namespace sampan::cgroup::internal {
namespace {
std::string file_path(const std::string& dir, std::string_view file) {
  return dir + "/" + std::string(file);
}
}  // namespace

Result<void> write_value(const std::string& dir, std::string_view file, std::string_view value) {
  return sys::write_kernel_file(file_path(dir, file), value);
}

Result<void> write_number(const std::string& dir, std::string_view file, int64_t value) {
  return write_value(dir, file, std::to_string(value));
}

bool has_file(const std::string& dir, std::string_view file) {
  return ::access(file_path(dir, file).c_str(), F_OK) == 0;
}

std::string read_text(const std::string& dir, std::string_view file) {
  auto text = sys::read_file(file_path(dir, file), 1 << 20);
  if (!text) return {};
  return std::string(trim(*text));
}

uint64_t read_number(const std::string& dir, std::string_view file, uint64_t otherwise) {
  return parse_uint(read_text(dir, file)).value_or(otherwise);
}

std::map<std::string, uint64_t> read_flat(const std::string& dir, std::string_view file) {
  std::map<std::string, uint64_t> out;
  for (const auto& line : split(read_text(dir, file), '\n')) {
    auto pair = split_once(line, ' ');
    if (!pair) continue;
    if (auto value = parse_uint(trim(pair->second))) out.emplace(std::string(pair->first), *value);
  }
  return out;
}

void await_change(const std::string& dir, std::chrono::milliseconds patience) {
  sys::Fd events(::open(file_path(dir, "cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  pollfd entry{events.get(), POLLPRI, 0};  // a negative descriptor is ignored, and the wait is a pause
  ::poll(&entry, 1, static_cast<int>(patience.count()));
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  size_t at = 0;
  while ((at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos) {
    size_t end = text.find_first_of(" \t\n", at);
    if (end == std::string_view::npos) end = text.size();
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

}  // namespace sampan::cgroup::internal
