#include "cli/values/copy_path.h"

namespace sampan::cli {

namespace {

void drop_trailing(std::string& path) {
  while (path.size() > 1 && (path.ends_with('/') || path.ends_with("/."))) path.resize(path.rfind('/'));
  if (path.empty()) path = "/";
}

bool asks_for_content(const std::string& path) {
  return path == "." || path.ends_with("/.");
}

bool asks_for_directory(const std::string& path) {
  return path.ends_with('/') || asks_for_content(path);
}

}  // namespace

CopyArgument parse_copy_argument(const std::string& text) {
  size_t colon = text.find(':');
  if (text.starts_with('/') || text.starts_with('.') || colon == std::string::npos || colon == 0) return {"", text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string base_name(std::string path) {
  drop_trailing(path);
  return path == "/" ? path : path.substr(path.rfind('/') + 1);
}

std::string parent_of(std::string path) {
  drop_trailing(path);
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<CopyPlan> plan_copy(const CopyEnd& source, const CopyEnd& destination) {
  if (destination.exists && destination.is_directory) {
    // The content of a directory, or of the root, which has no name.
    bool content = source.is_directory && (asks_for_content(source.path) || base_name(source.path) == "/");
    return CopyPlan{destination.path, content ? "" : base_name(source.path)};
  }
  if (destination.exists && source.is_directory) return fail(Code::InvalidArgument, "cannot copy directory");
  if (destination.exists && asks_for_directory(destination.path)) return fail(Code::InvalidArgument, "not a directory");
  if (!destination.exists && !source.is_directory && asks_for_directory(destination.path)) {
    return fail(Code::NotFound, "no such directory");
  }
  return CopyPlan{parent_of(destination.path), base_name(destination.path)};
}

}  // namespace sampan::cli
