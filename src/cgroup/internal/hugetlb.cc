// hugetlb. Source: kernel cgroup-v1/hugetlb.rst, cgroup-v2.rst "HugeTLB".
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

bool asked(const oci::Resources& resources) {
  return !resources.hugepage_limits.empty();
}

Result<void> apply(const Request& request, const char* suffix) {
  for (const auto& limit : request.asked.hugepage_limits) {
    if (limit.page_size.find('/') != std::string::npos)
      return fail(Code::InvalidArgument, "bad huge page size \"{}\"", limit.page_size);
    std::string value = std::to_string(limit.limit);
    TRY(write_value(request.dir, fmt::format("hugetlb.{}.{}", limit.page_size, suffix), value));
    // Reservations are counted apart since 5.7; older kernels have no such file.
    std::string reserved = fmt::format("hugetlb.{}.rsvd.{}", limit.page_size, suffix);
    if (has_file(request.dir, reserved)) TRY(write_value(request.dir, reserved, value));
  }
  return {};
}

Result<void> apply_v1(const Request& request) {
  return apply(request, "limit_in_bytes");
}
Result<void> apply_v2(const Request& request) {
  return apply(request, "max");
}

}  // namespace

const Controller kHugetlb{"hugetlb", "hugetlb", asked, apply_v1, apply_v2, nullptr, nullptr};

}  // namespace sampan::cgroup::internal
