// The "unified" map: files of the version 2 directory, written as they are.
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

bool asked(const oci::Resources& resources) {
  return !resources.unified.empty();
}

Result<void> apply(const Request& request) {
  for (const auto& [file, value] : request.asked.unified) {
    if (file.find('/') != std::string::npos)
      return fail(Code::InvalidArgument, "unified resource \"{}\" must be a file name", file);
    size_t begin = 0;
    while (begin <= value.size()) {  // one write a line: the kernel takes no more
      size_t end = std::min(value.find('\n', begin), value.size());
      TRY(write_value(request.dir, file, std::string_view(value).substr(begin, end - begin)));
      begin = end + 1;
    }
  }
  return {};
}

}  // namespace

const Controller kUnified{nullptr, "", asked, nullptr, apply, nullptr, nullptr};

}  // namespace sampan::cgroup::internal
