#include "cli/commands/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"

namespace sampan::cli {

namespace {

// Devices and pipes are written in place: they cannot be replaced.
bool is_plain_target(const std::string& file) {
  struct stat info{};
  return ::stat(file.c_str(), &info) < 0 || S_ISREG(info.st_mode);
}

}  // namespace

Result<int> save_stream(App& app, const std::string& path, const std::string& file) {
  if (file.empty() && is_terminal(STDOUT_FILENO)) {
    return fail(Code::InvalidArgument, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
  }
  bool replace = !file.empty() && is_plain_target(file);
  std::string target = replace ? fmt::format("{}.{}.tmp", file, ::getpid()) : file;
  sys::Fd owned;
  int fd = STDOUT_FILENO;
  if (!file.empty()) {
    owned = TRY(sys::open_file(target, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    fd = owned.get();
  }
  auto done = stream_request(app, "GET", path, {}, [&](std::string_view bytes) { return sys::write_all(fd, bytes); });
  if (!done) {
    if (replace) ::unlink(target.c_str());
    return std::move(done).error();
  }
  if (replace) TRY(sys::rename_path(target, file));
  return 0;
}

}  // namespace sampan::cli
