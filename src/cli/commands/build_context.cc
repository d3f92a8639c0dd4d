#include "cli/commands/build_context.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/strings.h"
#include "cli/stream/tar.h"
#include "cli/values/ignore.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::cli {

namespace {

Error context_error(std::string text) {
  return Error(Code::InvalidArgument, "unable to prepare context: " + std::move(text));
}

bool is_url(const std::string& path) {
  for (std::string_view prefix : {"http://", "https://", "git://", "git@", "github.com/", "ssh://"}) {
    if (path.starts_with(prefix)) return true;
  }
  return false;
}

// gzip, bzip2, xz, zstd, or a tar header.
bool is_archive(std::string_view start) {
  for (std::string_view magic : {std::string_view("\x1f\x8b"), std::string_view("BZh"),
                                 std::string_view("\xfd"
                                                  "7zXZ"),
                                 std::string_view("\x28\xb5\x2f\xfd")}) {
    if (start.starts_with(magic)) return true;
  }
  return start.size() >= 262 && start.substr(257, 5) == "ustar";
}

// A stream whose first bytes were already read.
class PrefixedSource final : public ByteSource {
 public:
  PrefixedSource(std::string start, int fd) : start_(std::move(start)), fd_(fd) {}
  Result<size_t> read(std::span<char> buffer) override {
    if (start_.empty()) return sys::read_some(fd_, buffer);
    size_t count = start_.copy(buffer.data(), buffer.size());
    start_.erase(0, count);
    return count;
  }

 private:
  std::string start_;
  int fd_;
};

Result<std::string> read_start(int fd, size_t size) {
  std::string out;
  std::vector<char> buffer(size);
  while (out.size() < size) {
    size_t count = TRY(sys::read_some(fd, std::span(buffer).first(size - out.size())));
    if (count == 0) break;
    out.append(buffer.data(), count);
  }
  return out;
}

Result<BuildContext> context_from_stdin(const std::string& dockerfile) {
  if (dockerfile == "-") {
    return fail(Code::InvalidArgument, "invalid argument: can't use stdin for both build context and dockerfile");
  }
  std::string start = TRY(read_start(STDIN_FILENO, 1024));
  BuildContext out;
  out.dockerfile = dockerfile.empty() ? "Dockerfile" : dockerfile;
  if (is_archive(start)) {
    out.body = std::make_unique<PrefixedSource>(std::move(start), STDIN_FILENO);
    return out;
  }
  if (!dockerfile.empty()) return context_error("context from stdin is a Dockerfile, which excludes --file");
  ArchiveItem item{"Dockerfile", "", start + TRY(sys::read_fd(STDIN_FILENO, 16 << 20)), {}};
  out.size = item.content.size();
  std::vector<ArchiveItem> items;
  items.push_back(std::move(item));
  out.body = std::make_unique<ArchiveSource>(std::move(items), Owner::Root);
  return out;
}

Result<std::string> real_path(const std::string& path) {
  char buffer[PATH_MAX];
  if (!::realpath(path.c_str(), buffer)) return sys::sys_error("realpath", path);
  return std::string(buffer);
}

// A Dockerfile that is not in the context travels under a name of its own.
std::string foreign_name() {
  return fmt::format(".dockerfile.{:016x}",
                     static_cast<uint64_t>(::getpid()) << 32 | static_cast<uint64_t>(::time(nullptr)));
}

struct Dockerfile {
  std::string name;       // in the context
  std::string disk_path;  // empty: from stdin
  std::optional<std::string> foreign_content;
};

Result<Dockerfile> find_dockerfile(const std::string& root, const std::string& given) {
  Dockerfile out;
  if (given == "-") {
    out.name = foreign_name();
    out.foreign_content = TRY(sys::read_fd(STDIN_FILENO, 16 << 20));
    return out;
  }
  std::string path = given.empty() ? root + "/Dockerfile" : given;
  if (given.empty() && !sys::path_exists(path) && sys::path_exists(root + "/dockerfile")) path = root + "/dockerfile";
  // Docker looks for a relative --file from here first, then from the context.
  if (!given.empty() && !given.starts_with('/') && !sys::path_exists(path)) path = root + "/" + given;
  std::string directory = path.find('/') == std::string::npos ? "." : path.substr(0, path.rfind('/') + 1);
  auto real = real_path(directory);
  if (!real || !sys::path_exists(path)) {
    return context_error(
        fmt::format("unable to evaluate symlinks in Dockerfile path: lstat {}: no such file or directory", path));
  }
  out.disk_path = (*real == "/" ? "" : *real) + "/" + path.substr(path.rfind('/') + 1);
  if (out.disk_path.starts_with(root + "/")) {
    out.name = out.disk_path.substr(root.size() + 1);
    return out;
  }
  out.name = foreign_name();
  out.foreign_content = TRY(sys::read_file(out.disk_path, 16 << 20));
  return out;
}

// <Dockerfile>.dockerignore beside the Dockerfile wins over .dockerignore at the root.
Result<IgnoreList> read_ignore(const std::string& root, const Dockerfile& dockerfile) {
  std::string own = dockerfile.disk_path + ".dockerignore";
  std::string path = !dockerfile.disk_path.empty() && sys::path_exists(own) ? own : root + "/.dockerignore";
  if (!sys::path_exists(path)) return IgnoreList();
  auto list = TRY_CONTEXT(IgnoreList::parse(TRY(sys::read_file(path, 16 << 20))), "error reading .dockerignore");
  // The daemon needs both, whatever they say of themselves; it does not copy them when they are ignored.
  if (list.ignores(".dockerignore")) list.add(".dockerignore", true);
  if (list.ignores(dockerfile.name)) list.add(dockerfile.name, true);
  return list;
}

Result<BuildContext> context_from_directory(const std::string& path, const std::string& given) {
  if (!sys::path_exists(path)) return context_error(fmt::format("path \"{}\" not found", path));
  std::string root = TRY(real_path(path));
  struct stat info{};
  if (::stat(root.c_str(), &info) < 0 || !S_ISDIR(info.st_mode)) {
    return context_error(fmt::format("context must be a directory: {}", root));
  }
  Dockerfile dockerfile = TRY(find_dockerfile(root, given));
  IgnoreList ignore = TRY(read_ignore(root, dockerfile));
  TreeFilter filter;
  filter.keep = [&](const std::string& relative) { return !ignore.ignores(relative); };
  filter.enter = [&](const std::string& relative) { return ignore.may_include_below(relative); };
  auto items = TRY_CONTEXT(list_tree(root, "", filter), "error checking context");
  if (dockerfile.foreign_content) items.push_back({dockerfile.name, "", *dockerfile.foreign_content, {}});
  auto source = std::make_unique<ArchiveSource>(std::move(items), Owner::Root);
  BuildContext out;
  out.size = source->content_size();
  out.body = std::move(source);
  out.dockerfile = dockerfile.name;
  return out;
}

}  // namespace

Result<BuildContext> open_build_context(const std::string& path, const std::string& dockerfile) {
  if (path == "-") return context_from_stdin(dockerfile);
  if (is_url(path)) {
    if (dockerfile == "-") return fail(Code::NotImplemented, "a Dockerfile from stdin needs a local context");
    BuildContext out;
    out.remote = path;
    out.dockerfile = dockerfile.empty() ? "Dockerfile" : dockerfile;
    return out;
  }
  return context_from_directory(path, dockerfile);
}

}  // namespace sampan::cli
