// The "unified" map: files of the version 2 directory, written as they are.
#include <algorithm>
#include <cerrno>

#include "base/strings.h"
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

bool asked(const oci::Resources& resources) {
  return !resources.unified.empty();
}

/// Says what is missing when a file is: the controller, or the name.
Error explain(const Request& request, const std::string& file, Error error) {
  if (error.errno_value() != ENOENT && error.errno_value() != EACCES && error.errno_value() != EPERM) return error;
  auto parts = split_once(file, '.');
  if (!parts)
    return make_error(Code::InvalidArgument, "unified resource \"{}\" must be in the form CONTROLLER.PARAMETER", file);
  auto here = words(read_text(request.dir, "cgroup.controllers"));
  if (parts->first != "cgroup" && std::find(here.begin(), here.end(), parts->first) == here.end())
    return make_error(Code::InvalidArgument, "unified resource \"{}\" can't be set: controller \"{}\" not available",
                      file, parts->first);
  return std::move(error).context(fmt::format("unable to set unified resource \"{}\"", file));
}

Result<void> apply(const Request& request) {
  for (const auto& [file, value] : request.asked.unified) {
    if (file.find('/') != std::string::npos)
      return fail(Code::InvalidArgument, "unified resource \"{}\" must be a file name (no slashes)", file);
    for (const auto& line : split(value, '\n')) {  // the kernel takes one a write
      if (trim(line).empty()) continue;
      auto written = write_value(request.dir, file, line);
      if (!written) return explain(request, file, std::move(written).error());
    }
  }
  return {};
}

}  // namespace

const Controller kUnified{nullptr, "", asked, nullptr, apply, nullptr, nullptr};

}  // namespace sampan::cgroup::internal
