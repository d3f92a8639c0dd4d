#include "cli/stream/tar_extract.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "cli/app.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"

namespace sampan::cli {

namespace {

// "./a//b/" -> "a/b". Errors: InvalidArgument on "..".
Result<std::string> clean_name(const std::string& name) {
  std::vector<std::string> parts;
  for (const std::string& part : split(name, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(Code::InvalidArgument, "archive entry \"{}\" leads out of the archive", name);
    parts.push_back(part);
  }
  return join(parts, "/");
}

void set_time(int parent, const std::string& name, int64_t mtime) {
  timespec times[2] = {{mtime, 0}, {mtime, 0}};
  (void)::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW);  // a wrong time does no harm
}

}  // namespace

TarExtractor::TarExtractor(sys::DirFd root, ExtractOptions options)
    : root_(std::move(root)),
      options_(std::move(options)),
      reader_({[this](const TarEntry& entry) { return begin(entry); },
               [this](std::string_view bytes) -> Result<void> {
                 bytes_ += bytes.size();
                 return file_.valid() ? sys::write_all(file_.get(), bytes) : Result<void>();
               },
               [this]() -> Result<void> {
                 if (!file_.valid()) return {};
                 file_.reset();
                 return finish_object(current_, parent_.get(), name_);
               }}) {}

// Where an entry goes: the archive's top component, whatever its name, becomes the target.
Result<std::string> TarExtractor::place(const std::string& name) {
  std::string clean = TRY(clean_name(name));
  if (!have_top_) {
    have_top_ = true;
    top_ = clean.substr(0, clean.find('/'));  // empty when the archive starts with "./"
  }
  std::string relative = clean;
  if (!top_.empty()) {
    if (clean != top_ && !clean.starts_with(top_ + "/")) {
      return fail(Code::InvalidArgument, "archive entry \"{}\" is not below \"{}\"", name, top_);
    }
    relative = clean.size() > top_.size() ? clean.substr(top_.size() + 1) : std::string();
  }
  if (options_.target.empty()) return relative;
  return relative.empty() ? options_.target : options_.target + "/" + relative;
}

Result<void> TarExtractor::begin(const TarEntry& entry) {
  std::string path = TRY(place(entry.name));
  current_ = entry;
  if (path.empty()) return {};  // the destination itself
  if (entry.type == TarEntry::Type::Directory) directories_.emplace_back(path, entry);
  if (size_t slash = path.rfind('/'); slash != std::string::npos) {
    TRY(sys::make_dirs_in_root(root_.get(), path.substr(0, slash), 0755));
  }
  auto [parent, name] = TRY(sys::open_parent_in_root(root_.get(), path));
  parent_ = std::move(parent);
  name_ = name;
  return make_object(entry, parent_.get(), name_);
}

Result<void> TarExtractor::make_object(const TarEntry& entry, int parent, const std::string& name) {
  using enum TarEntry::Type;
  if (entry.type == Directory) return make_directory(parent, name);
  struct stat existing{};
  if (::fstatat(parent, name.c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISDIR(existing.st_mode))
      return fail(Code::Conflict, "cannot overwrite directory \"{}\" with non-directory", name);
    if (::unlinkat(parent, name.c_str(), 0) < 0) return sys::sys_error("unlinkat", name);
  }
  switch (entry.type) {
    case File:
      file_ = TRY(sys::open_at(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
      return {};
    case Symlink:
      if (::symlinkat(entry.link.c_str(), parent, name.c_str()) < 0) return sys::sys_error("symlinkat", name);
      return finish_object(entry, parent, name);
    case HardLink:
      return make_hard_link(entry, parent, name);
    case Fifo:
      if (::mkfifoat(parent, name.c_str(), 0600) < 0) return sys::sys_error("mkfifoat", name);
      return finish_object(entry, parent, name);
    default:
      // A device node made by a container is a door into this machine.
      print_err(fmt::format("skipped device \"{}\"\n", entry.name));
      return {};
  }
}

Result<void> TarExtractor::make_directory(int parent, const std::string& name) {
  if (::mkdirat(parent, name.c_str(), 0700) == 0) return {};
  struct stat existing{};
  bool is_directory = errno == EEXIST && ::fstatat(parent, name.c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0 &&
                      S_ISDIR(existing.st_mode);
  if (is_directory) return {};
  if (errno == EEXIST) return fail(Code::Conflict, "cannot overwrite non-directory \"{}\" with directory", name);
  return sys::sys_error("mkdirat", name);
}

Result<void> TarExtractor::make_hard_link(const TarEntry& entry, int parent, const std::string& name) {
  std::string source = TRY(place(entry.link));
  auto [source_parent, source_name] = TRY(sys::open_parent_in_root(root_.get(), source));
  if (::linkat(source_parent.get(), source_name.c_str(), parent, name.c_str(), 0) < 0)
    return sys::sys_error("linkat", name);
  return {};
}

// Owner, then mode (a chown clears the set-id bits), then time.
Result<void> TarExtractor::finish_object(const TarEntry& entry, int parent, const std::string& name) {
  unsigned mode = entry.mode & (options_.keep_owner ? 07777u : 01777u);
  if (options_.keep_owner && ::fchownat(parent, name.c_str(), static_cast<uid_t>(entry.uid),
                                        static_cast<gid_t>(entry.gid), AT_SYMLINK_NOFOLLOW) < 0) {
    return sys::sys_error("fchownat", name);
  }
  if (entry.type == TarEntry::Type::File || entry.type == TarEntry::Type::Directory) {
    sys::Fd object = TRY(sys::open_at(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    if (::fchmod(object.get(), mode) < 0) return sys::sys_error("fchmod", name);
  }
  set_time(parent, name, entry.mtime);
  return {};
}

Result<void> TarExtractor::finish() {
  TRY(reader_.finish());
  // Deepest first: a directory without write permission could not be filled, and filling it changes its time.
  for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) {
    auto [parent, name] = TRY(sys::open_parent_in_root(root_.get(), it->first));
    TRY(finish_object(it->second, parent.get(), name));
  }
  return {};
}

}  // namespace sampan::cli
