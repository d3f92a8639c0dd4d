// docker cp and export: tar streams in and out of containers.
#include <sys/stat.h>

#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "codec/text.h"
#include "image/archive.h"

namespace sampan::api {
namespace {

// Go's os.FileMode has its own bits above the permissions. Source: Go's io/fs, const ModeDir and following.
uint32_t go_file_mode(uint32_t mode) {
  uint32_t out = mode & 0777;
  switch (mode & S_IFMT) {
    case S_IFDIR:
      out |= 1U << 31;
      break;
    case S_IFLNK:
      out |= 1U << 27;
      break;
    case S_IFBLK:
      out |= 1U << 26;
      break;
    case S_IFIFO:
      out |= 1U << 25;
      break;
    case S_IFSOCK:
      out |= 1U << 24;
      break;
    case S_IFCHR:
      out |= (1U << 26) | (1U << 21);
      break;
    default:
      break;
  }
  if (mode & S_ISUID) out |= 1U << 23;
  if (mode & S_ISGID) out |= 1U << 22;
  if (mode & S_ISVTX) out |= 1U << 20;
  return out;
}

std::string stat_header(const engine::PathStat& stat) {
  json::object out{{"name", json::string(stat.name)},
                   {"size", stat.size},
                   {"mode", go_file_mode(stat.mode)},
                   {"mtime", json::string(stat.mtime)},
                   {"linkTarget", json::string(stat.link_target)}};
  return codec::format_base64(codec::format_json(out));
}

Result<std::string> archive_path(const Call& call) {
  std::string path = call.get("path");
  if (path.empty()) return fail(Code::InvalidArgument, "missing required query parameter: path");
  return path;
}

constexpr const char* kStatHeader = "X-Docker-Container-Path-Stat";

}  // namespace

Result<http::Response> stat_archive(Call& call) {
  auto stat = TRY(call.engine().stat_path(call.name, TRY(archive_path(call))));
  return http::Response{200, {{kStatHeader, stat_header(stat)}}, ""};
}

Result<void> get_archive(Call& call, ByteSource&, Reply& reply) {
  std::string path = TRY(archive_path(call));
  auto stat = TRY(call.engine().stat_path(call.name, path));
  reply.set_head({200, {{"Content-Type", "application/x-tar"}, {kStatHeader, stat_header(stat)}}, ""});
  return call.engine().copy_from(call.name, path, reply, reply.cancel());
}

Result<void> put_archive(Call& call, ByteSource& body, Reply& reply) {
  std::string path = TRY(archive_path(call));
  auto tar = image::make_decompressor(body);
  TRY(call.engine().copy_to(call.name, path, *tar, call.flag("noOverwriteDirNonDir"), call.flag("copyUIDGID"),
                            reply.cancel()));
  reply.set_answer(empty_answer(200));
  return {};
}

Result<void> export_container(Call& call, ByteSource&, Reply& reply) {
  reply.set_head({200, {{"Content-Type", "application/octet-stream"}}, ""});
  return call.engine().export_container(call.name, reply, reply.cancel());
}

}  // namespace sampan::api
