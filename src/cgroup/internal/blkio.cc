// blkio (version 1) and io (version 2). Source: kernel cgroup-v1/blkio-controller.rst, cgroup-v2.rst "IO".
#include "base/strings.h"
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup {

uint64_t io_weight_of_blkio(uint64_t weight) {
  if (weight == 0) return 0;
  if (weight <= 10) return 1;
  return 1 + (weight - 10) * 9999 / 990;
}

namespace internal {
namespace {

bool asked(const oci::Resources& resources) {
  return resources.block_io.has_value();
}

std::string device(int64_t major, int64_t minor) {
  return fmt::format("{}:{}", major, minor);
}

bool wants_weights(const oci::BlockIo& io) {
  bool any = io.weight.value_or(0) != 0;
  for (const auto& entry : io.weight_device) any = any || entry.weight.value_or(0) != 0;
  return any;
}

/// The weight against a cgroup's own children went with the CFQ scheduler (5.0).
Result<void> apply_leaf_weights_v1(const Request& request, const oci::BlockIo& io) {
  bool any = io.leaf_weight.value_or(0) != 0;
  for (const auto& entry : io.weight_device) any = any || entry.leaf_weight.value_or(0) != 0;
  if (any && !has_file(request.dir, "blkio.leaf_weight")) {
    request.warnings.push_back("this kernel has no block I/O leaf weights; they were not set");
    return {};
  }
  if (io.leaf_weight.value_or(0) != 0) TRY(write_number(request.dir, "blkio.leaf_weight", *io.leaf_weight));
  for (const auto& entry : io.weight_device)
    if (entry.leaf_weight.value_or(0) != 0)
      TRY(write_value(request.dir, "blkio.leaf_weight_device",
                      fmt::format("{} {}", device(entry.major, entry.minor), *entry.leaf_weight)));
  return {};
}

/// Weights exist only with the BFQ scheduler (or CFQ long ago), under names that differ by age.
Result<void> apply_weights_v1(const Request& request, const oci::BlockIo& io) {
  bool bfq = has_file(request.dir, "blkio.bfq.weight");
  std::string file = bfq ? "blkio.bfq.weight" : "blkio.weight";
  std::string device_file = bfq ? "blkio.bfq.weight_device" : "blkio.weight_device";
  if (!wants_weights(io)) return {};
  if (!has_file(request.dir, file)) {
    request.warnings.push_back("this kernel has no block I/O weights; they were not set");
    return {};
  }
  if (io.weight.value_or(0) != 0) TRY(write_number(request.dir, file, *io.weight));
  for (const auto& entry : io.weight_device)
    if (entry.weight.value_or(0) != 0)
      TRY(write_value(request.dir, device_file, fmt::format("{} {}", device(entry.major, entry.minor), *entry.weight)));
  return {};
}

Result<void> throttle_v1(const Request& request, const std::vector<oci::ThrottleDevice>& list, const char* file) {
  for (const auto& entry : list)
    TRY(write_value(request.dir, file, fmt::format("{} {}", device(entry.major, entry.minor), entry.rate)));
  return {};
}

Result<void> apply_v1(const Request& request) {
  const auto& io = *request.asked.block_io;
  TRY(apply_weights_v1(request, io));
  TRY(apply_leaf_weights_v1(request, io));
  TRY(throttle_v1(request, io.throttle_read_bps_device, "blkio.throttle.read_bps_device"));
  TRY(throttle_v1(request, io.throttle_write_bps_device, "blkio.throttle.write_bps_device"));
  TRY(throttle_v1(request, io.throttle_read_iops_device, "blkio.throttle.read_iops_device"));
  return throttle_v1(request, io.throttle_write_iops_device, "blkio.throttle.write_iops_device");
}

Result<void> throttle_v2(const Request& request, const std::vector<oci::ThrottleDevice>& list, const char* key) {
  for (const auto& entry : list) {
    std::string rate = entry.rate == 0 ? "max" : std::to_string(entry.rate);
    TRY(write_value(request.dir, "io.max", fmt::format("{} {}={}", device(entry.major, entry.minor), key, rate)));
  }
  return {};
}

/// The weight of BFQ keeps version 1's range; that of the cost model (io.weight) has its own.
Result<void> apply_weights_v2(const Request& request, const oci::BlockIo& io) {
  bool bfq = has_file(request.dir, "io.bfq.weight");
  const char* file = bfq ? "io.bfq.weight" : "io.weight";
  auto scaled = [&](uint64_t weight) { return bfq ? weight : io_weight_of_blkio(weight); };
  if (!wants_weights(io)) return {};
  if (!has_file(request.dir, file)) {
    request.warnings.push_back("this kernel has no block I/O weights; they were not set");
    return {};
  }
  if (io.weight.value_or(0) != 0) TRY(write_number(request.dir, file, static_cast<int64_t>(scaled(*io.weight))));
  bool per_device = read_text(request.dir, file).starts_with("default");  // FALLBACK(linux<5.4): BFQ had one number
  for (const auto& entry : io.weight_device) {
    if (entry.weight.value_or(0) == 0) continue;
    if (!per_device) {
      request.warnings.push_back("this kernel has no block I/O weights for a device; they were not set");
      return {};
    }
    TRY(write_value(request.dir, file, fmt::format("{} {}", device(entry.major, entry.minor), scaled(*entry.weight))));
  }
  return {};
}

Result<void> apply_v2(const Request& request) {
  const auto& io = *request.asked.block_io;
  TRY(apply_weights_v2(request, io));
  TRY(throttle_v2(request, io.throttle_read_bps_device, "rbps"));
  TRY(throttle_v2(request, io.throttle_write_bps_device, "wbps"));
  TRY(throttle_v2(request, io.throttle_read_iops_device, "riops"));
  return throttle_v2(request, io.throttle_write_iops_device, "wiops");
}

void stats_v1(const std::string& dir, Stats& stats) {
  auto first_with_lines = [&](std::initializer_list<const char*> files) {
    for (const char* file : files)
      if (auto entries = parse_blkio(read_text(dir, file)); !entries.empty()) return entries;
    return std::vector<BlkioEntry>();
  };
  stats.io_service_bytes =
      first_with_lines({"blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive",
                        "blkio.throttle.io_service_bytes"});
  stats.io_serviced = first_with_lines(
      {"blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced"});
}

/// "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0".
void stats_v2(const std::string& dir, Stats& stats) {
  for (const auto& line : split(read_text(dir, "io.stat"), '\n')) {
    auto parts = words(line);
    auto numbers = parts.empty() ? std::nullopt : split_once(parts[0], ':');
    if (!numbers) continue;
    BlkioEntry entry{parse_uint(numbers->first).value_or(0), parse_uint(numbers->second).value_or(0), "", 0};
    for (size_t i = 1; i < parts.size(); ++i) {
      auto pair = split_once(parts[i], '=');
      if (!pair) continue;
      entry.value = parse_uint(pair->second).value_or(0);
      entry.op = pair->first.starts_with('r') ? "Read" : pair->first.starts_with('w') ? "Write" : "Discard";
      (pair->first.ends_with("bytes") ? stats.io_service_bytes : stats.io_serviced).push_back(entry);
    }
  }
}

}  // namespace

std::vector<BlkioEntry> parse_blkio(std::string_view text) {
  std::vector<BlkioEntry> out;
  for (const auto& line : split(text, '\n')) {
    auto parts = words(line);
    if (parts.size() != 3) continue;  // the "Total" line has two
    auto numbers = split_once(parts[0], ':');
    auto value = parse_uint(parts[2]);
    if (!numbers || !value) continue;
    out.push_back({parse_uint(numbers->first).value_or(0), parse_uint(numbers->second).value_or(0), parts[1], *value});
  }
  return out;
}

const Controller kBlkio{"blkio", "io", asked, apply_v1, apply_v2, stats_v1, stats_v2};

}  // namespace internal
}  // namespace sampan::cgroup
