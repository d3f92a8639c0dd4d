#include "build/internal/tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/strings.h"
#include "image/archive.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"

namespace sampan::build {
namespace {

bool hidden(const Tree& tree, const std::string& path) {
  return tree.ignore && !path.empty() && tree.ignore->ignored(path);
}

Result<struct stat> stat_path(const Tree& tree, const std::string& path, int flags) {
  auto fd = TRY(sys::open_in_root(tree.root, path, O_PATH | flags));
  return sys::stat_fd(fd.get());
}

Result<std::vector<std::string>> list(const Tree& tree, const std::string& path) {
  auto directory = TRY(sys::open_in_root(tree.root, path, O_RDONLY | O_DIRECTORY));
  return sys::list_dir(fmt::format("/proc/self/fd/{}", directory.get()));
}

std::string below(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "/" + name;
}

/// No "." or "..", no slashes at the ends.
std::string clean(std::string_view path) {
  std::vector<std::string> out;
  for (auto& piece : split(path, '/')) {
    if (piece.empty() || piece == ".") continue;
    if (piece == "..") {
      if (!out.empty()) out.pop_back();
    } else {
      out.push_back(std::move(piece));
    }
  }
  return join(out, "/");
}

Result<void> glob(const Tree& tree, const std::vector<std::string>& pattern, size_t depth, const std::string& path,
                  std::vector<std::string>& out) {
  if (depth == pattern.size()) {
    if (!hidden(tree, path) && stat_path(tree, path, O_NOFOLLOW)) out.push_back(path);
    return {};
  }
  if (!has_wildcard(pattern[depth])) return glob(tree, pattern, depth + 1, below(path, pattern[depth]), out);
  auto names = list(tree, path);
  if (!names) return {};
  for (const auto& name : *names) {
    if (TRY(path_match(pattern[depth], name))) TRY(glob(tree, pattern, depth + 1, below(path, name), out));
  }
  return {};
}

void hash_field(codec::Sha256& hash, std::string_view text) {
  hash.update(std::to_string(text.size()));
  hash.update(":");
  hash.update(text);
}

Result<void> hash_content(int fd, codec::Sha256& hash, const Cancel& cancel) {
  auto file = TRY(sys::reopen_fd(fd, O_RDONLY | O_NONBLOCK));
  std::vector<char> buffer(128 << 10);
  for (;;) {
    TRY(cancel.check());
    size_t n = TRY(sys::read_some(file.get(), buffer));
    if (n == 0) return {};
    hash.update({buffer.data(), n});
  }
}

Result<void> hash_entry(const Tree& tree, const std::string& path, const std::string& shown, int follow, bool owners,
                        codec::Sha256& hash, const Cancel& cancel) {
  auto fd = TRY(sys::open_in_root(tree.root, path, O_PATH | follow));
  auto info = TRY(sys::stat_fd(fd.get()));
  hash_field(hash, shown);
  hash_field(hash, fmt::format("{:o}", info.st_mode));
  if (owners) hash_field(hash, fmt::format("{}:{}", info.st_uid, info.st_gid));
  if (S_ISREG(info.st_mode)) {
    hash_field(hash, std::to_string(info.st_size));
    return hash_content(fd.get(), hash, cancel);
  }
  if (S_ISLNK(info.st_mode)) {
    char target[4096];
    ssize_t n = ::readlinkat(fd.get(), "", target, sizeof target);
    if (n < 0) return sys::sys_error("readlink", path);
    hash_field(hash, {target, static_cast<size_t>(n)});
  }
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) hash_field(hash, std::to_string(info.st_rdev));
  if (!S_ISDIR(info.st_mode)) return {};
  for (const auto& name : TRY(list(tree, path))) {
    if (hidden(tree, below(path, name))) continue;
    TRY(hash_entry(tree, below(path, name), below(shown, name), O_NOFOLLOW, owners, hash, cancel));
  }
  return {};
}

/// Runs the packer in a thread of its own, at the other end of a pipe that the unpacker reads.
Result<void> pump(const Tree& tree, const std::string& path, const image::PackOptions& pack, int root,
                  const image::UnpackOptions& unpack, const Cancel& cancel) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return sys::sys_error("pipe2");
  sys::Fd reader(ends[0]), writer(ends[1]);
  Result<void> packed;
  std::thread packer([&] {
    sys::FdSink sink(writer.get());
    packed = image::pack_tar(tree.root, path, sink, pack, cancel);
    writer.reset();
  });
  sys::FdSource source(reader.get());
  auto unpacked = image::unpack_tar(source, root, unpack, cancel);
  // A packer that is still writing must not wait for a reader that has given up.
  reader.reset();
  packer.join();
  if (!unpacked) return std::move(unpacked).error();
  return packed;
}

image::UnpackOptions unpack_options(const CopyOptions& options, std::string destination) {
  image::UnpackOptions out;
  out.chown = options.owner;
  out.chmod = options.mode;
  out.destination = std::move(destination);
  return out;
}

bool looks_like_archive(std::string_view head) {
  auto starts = [&](std::string_view magic) { return head.starts_with(magic); };
  return starts("\x1f\x8b") || starts("BZh") || starts(std::string_view("\xfd\x37zXZ\0", 6)) ||
         starts("\x28\xb5\x2f\xfd") || (head.size() > 262 && head.substr(257, 5) == "ustar");
}

}  // namespace

FileKind kind_of(const Tree& tree, const std::string& path) {
  auto info = stat_path(tree, path, 0);
  if (!info || hidden(tree, clean(path))) return FileKind::Missing;
  if (S_ISDIR(info->st_mode)) return FileKind::Directory;
  return S_ISREG(info->st_mode) ? FileKind::File : FileKind::Other;
}

Result<std::vector<std::string>> find_sources(const Tree& tree, const std::string& pattern,
                                              std::string_view instruction) {
  std::string path = clean(pattern);
  std::vector<std::string> out;
  if (path.empty()) return std::vector<std::string>{""};
  TRY(glob(tree, split(path, '/'), 0, "", out));
  if (!out.empty()) {
    std::ranges::sort(out);
    return out;
  }
  if (has_wildcard(path)) return fail(Code::NotFound, "{} failed: no source files were specified", instruction);
  return fail(Code::NotFound,
              "{} failed: file not found in build context or excluded by .dockerignore: stat {}: file does not exist",
              instruction, path);
}

Result<void> hash_path(const Tree& tree, const std::string& path, bool owners, codec::Sha256& hash,
                       const Cancel& cancel) {
  auto base = path.substr(path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1);
  // A directory's own name does not matter: its content is what is copied.
  bool directory = kind_of(tree, path) == FileKind::Directory;
  return hash_entry(tree, path, directory ? "" : base, 0, owners, hash, cancel);
}

Result<void> copy_path(const Tree& tree, const std::string& source, int root, const std::string& target,
                       const CopyOptions& options, const Cancel& cancel) {
  image::PackOptions pack;
  if (kind_of(tree, source) == FileKind::Directory) {
    if (tree.ignore) pack.exclude = [&](const std::string& path) { return hidden(tree, below(source, path)); };
    TRY(sys::make_dirs_in_root(root, target, 0755));
    return pump(tree, source.empty() ? "." : source + "/.", pack, root, unpack_options(options, clean(target)), cancel);
  }
  bool into = target.ends_with('/') || kind_of({root, nullptr}, target) == FileKind::Directory;
  size_t last = source.rfind('/');
  pack.rename_root = last == std::string::npos ? source : source.substr(last + 1);
  pack.follow_top_link = true;
  std::string directory = clean(target);
  if (!into) {
    size_t slash = directory.rfind('/');
    pack.rename_root = slash == std::string::npos ? directory : directory.substr(slash + 1);
    directory.erase(slash == std::string::npos ? 0 : slash);
  }
  TRY(sys::make_dirs_in_root(root, directory, 0755));
  return pump(tree, source, pack, root, unpack_options(options, directory), cancel);
}

Result<bool> unpack_archive(const Tree& tree, const std::string& source, int root, const std::string& target,
                            const CopyOptions& options, const Cancel& cancel) {
  if (kind_of(tree, source) != FileKind::File) return false;
  auto file = TRY(sys::open_in_root(tree.root, source, O_RDONLY));
  char head[512];
  size_t n = TRY(sys::read_some(file.get(), head));
  if (!looks_like_archive({head, n})) return false;
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return sys::sys_error("lseek", source);
  sys::FdSource raw(file.get());
  auto tar = image::make_decompressor(raw);
  TRY(sys::make_dirs_in_root(root, target, 0755));
  TRY_CONTEXT(image::unpack_tar(*tar, root, unpack_options(options, clean(target)), cancel),
              fmt::format("ADD {}", source));
  return true;
}

Result<void> make_directory(int root, const std::string& path) {
  TRY(sys::make_dirs_in_root(root, path, 0755));
  return {};
}

Result<void> write_file(int root, const std::string& target, std::string_view content, const CopyOptions& options) {
  auto file = TRY(sys::create_file_in_root(root, target, 0644));
  if (::ftruncate(file.get(), 0) < 0) return sys::sys_error("ftruncate", target);
  TRY(sys::write_all(file.get(), content));
  auto owner = options.owner.value_or(std::pair(0u, 0u));
  if (::fchown(file.get(), owner.first, owner.second) < 0) return sys::sys_error("fchown", target);
  if (::fchmod(file.get(), options.mode.value_or(0644)) < 0) return sys::sys_error("fchmod", target);
  return {};
}

}  // namespace sampan::build
