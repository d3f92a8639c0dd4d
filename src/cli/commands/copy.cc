// cp: archives between a container and this machine.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/format/human.h"
#include "cli/stream/tar.h"
#include "cli/stream/tar_extract.h"
#include "cli/values/copy_path.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::cli {

namespace {

// Go's file mode bits in the stat header.
constexpr uint64_t kGoDirectory = uint64_t{1} << 31;
constexpr uint64_t kGoSymlink = uint64_t{1} << 27;

struct RemoteStat {
  bool exists = false;
  uint64_t mode = 0;
  std::string link;
};

std::string archive_path(const std::string& container, const std::string& path) {
  return Query("/containers/" + segment(container) + "/archive").add("path", path).str();
}

Result<RemoteStat> stat_remote(App& app, const std::string& container, const std::string& path) {
  auto response = TRY(app.client->call("HEAD", archive_path(container, path)));
  if (response.status == 404) {
    // Of the container, or of the path: only the first is an error here.
    TRY(get_json(app, "/containers/" + segment(container) + "/json"));
    return RemoteStat{};
  }
  if (response.status >= 400) {
    // HEAD has no body: the same question by GET says why.
    TRY(request(app, "GET", archive_path(container, path)));
    return client::response_error(response);
  }
  auto text = TRY(codec::parse_base64(response.header("X-Docker-Container-Path-Stat")));
  auto value = TRY(codec::parse_json(text));
  return RemoteStat{true, static_cast<uint64_t>(number_at(value, "mode")), text_at(value, "linkTarget")};
}

// A symbolic link at the end of the path is followed once, as Docker's client does.
Result<RemoteStat> follow_remote(App& app, const std::string& container, std::string& path) {
  RemoteStat info = TRY(stat_remote(app, container, path));
  if (!info.exists || !(info.mode & kGoSymlink)) return info;
  path = info.link.starts_with('/') ? info.link : parent_of(path) + "/" + info.link;
  return stat_remote(app, container, path);
}

// Errors: InvalidArgument "not a directory" ("file/").
Result<CopyEnd> local_end(const std::string& path) {
  struct stat info{};
  bool exists = ::stat(path.c_str(), &info) == 0;
  if (!exists && errno == ENOTDIR) return fail(Code::InvalidArgument, "not a directory");
  return CopyEnd{path, exists, exists && S_ISDIR(info.st_mode)};
}

// A destination that is a link to a file is written through, not replaced.
Result<CopyEnd> local_destination(const std::string& path) {
  CopyEnd end = TRY(local_end(path));
  char real[4096];
  if (end.exists && !end.is_directory && ::realpath(path.c_str(), real)) end.path = real;
  return end;
}

void say_copied(const Arguments& arguments, uint64_t bytes, const std::string& where) {
  if (arguments.flag("quiet") || !is_terminal(STDERR_FILENO)) return;
  print_err(fmt::format("Successfully copied {} to {}\n", human_size(static_cast<double>(bytes)), where));
}

Result<int> copy_from_container(App& app, const Arguments& arguments, const CopyArgument& source,
                                const std::string& target) {
  std::string path = source.path, asked = path;
  if (arguments.flag("follow-link")) TRY(follow_remote(app, source.container, path));
  std::string ask = archive_path(source.container, path);
  if (target == "-") {
    TRY(stream_request(app, "GET", ask, {},
                       [](std::string_view bytes) { return sys::write_all(STDOUT_FILENO, bytes); }));
    return 0;
  }
  CopyEnd to = TRY(local_destination(target));
  if (!to.exists && !sys::path_exists(parent_of(target))) {
    return fail(Code::NotFound, "invalid output path: directory \"{}\" does not exist", parent_of(target));
  }
  RemoteStat info = TRY(stat_remote(app, source.container, path));
  if (!info.exists) {
    return fail(Code::NotFound, "Error response from daemon: Could not find the file {} in container {}", path,
                source.container);
  }
  // A link that was followed keeps its own name.
  CopyEnd from{asked, true, (info.mode & kGoDirectory) != 0};
  CopyPlan plan = TRY(plan_copy(from, to));
  auto root = sys::open_dir(plan.directory);
  if (!root) return fail(Code::NotFound, "invalid output path: directory \"{}\" does not exist", plan.directory);
  TarExtractor extractor(std::move(*root), {plan.name, arguments.flag("archive")});
  TRY(stream_request(app, "GET", ask, {}, [&](std::string_view bytes) { return extractor.feed(bytes); }));
  TRY(extractor.finish());
  say_copied(arguments, extractor.bytes(), target);
  return 0;
}

Result<std::vector<ArchiveItem>> local_items(const std::string& path, const CopyEnd& end, const std::string& name,
                                             bool follow) {
  std::string root = path;
  if (end.is_directory) {
    struct stat info{};
    bool is_link = ::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
    if (!is_link || follow || path.ends_with('/')) return list_tree(root, name);
  }
  ArchiveItem item{name.empty() ? base_name(path) : name, path, {}, {}};
  int found = follow ? ::stat(path.c_str(), &item.info) : ::lstat(path.c_str(), &item.info);
  if (found < 0) return fail(Code::NotFound, "lstat {}: no such file or directory", path);
  if (follow && S_ISREG(item.info.st_mode)) {
    char real[4096];
    if (::realpath(path.c_str(), real)) item.disk_path = real;
  }
  std::vector<ArchiveItem> out;
  out.push_back(std::move(item));
  return out;
}

Result<void> put_archive(App& app, const Arguments& arguments, const std::string& container,
                         const std::string& directory, ByteSource& body) {
  Query query("/containers/" + segment(container) + "/archive");
  query.add("path", directory).add("noOverwriteDirNonDir", "true");
  if (arguments.flag("archive")) query.add("copyUIDGID", "true");
  client::CallOptions options;
  options.headers.emplace_back("Content-Type", "application/x-tar");
  options.body_source = &body;
  TRY(request(app, "PUT", query.str(), options));
  return {};
}

Result<int> copy_to_container(App& app, const Arguments& arguments, const std::string& source,
                              const CopyArgument& target) {
  std::string path = target.path.empty() ? "/" : target.path;
  std::string trailing = path.ends_with("/.") ? "/." : path.ends_with('/') ? "/" : "";
  auto looked = follow_remote(app, target.container, path);
  // What is wrong with the destination's parent is said by the copy itself.
  if (!looked && looked.error().code() == Code::Unavailable) return std::move(looked).error();
  RemoteStat info = looked ? std::move(*looked) : RemoteStat{};
  CopyEnd to{path + (path.ends_with('/') || path.ends_with("/.") ? "" : trailing), info.exists,
             (info.mode & kGoDirectory) != 0};
  if (!looked && source == "-") return std::move(looked).error();
  if (source == "-") {
    if (!to.is_directory)
      return fail(Code::InvalidArgument, "destination \"{}:{}\" must be a directory", target.container, target.path);
    sys::FdSource body(STDIN_FILENO);
    TRY(put_archive(app, arguments, target.container, path, body));
    return 0;
  }
  CopyEnd from = TRY(local_end(source));
  bool follow = arguments.flag("follow-link");
  struct stat local{};
  if (::lstat(source.c_str(), &local) < 0) return fail(Code::NotFound, "lstat {}: no such file or directory", source);
  if (S_ISLNK(local.st_mode) && !follow && !source.ends_with('/')) from.is_directory = false;  // the link itself
  CopyPlan plan = TRY(plan_copy(from, to));
  ArchiveSource body(TRY(local_items(source, from, plan.name, follow)), Owner::Keep);
  uint64_t size = body.content_size();
  TRY(put_archive(app, arguments, target.container, plan.directory, body));
  say_copied(arguments, size, target.container + ":" + target.path);
  return 0;
}

}  // namespace

Result<int> copy_files(App& app, const Arguments& arguments) {
  CopyArgument source = parse_copy_argument(arguments.positional[0]);
  CopyArgument target = parse_copy_argument(arguments.positional[1]);
  if (!source.container.empty() && !target.container.empty()) {
    return fail(Code::InvalidArgument, "copying between containers is not supported");
  }
  if (!source.container.empty()) return copy_from_container(app, arguments, source, target.path);
  if (!target.container.empty()) return copy_to_container(app, arguments, source.path, target);
  return fail(Code::InvalidArgument, "must specify at least one container source");
}

}  // namespace sampan::cli
