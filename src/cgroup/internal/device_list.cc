#include "cgroup/internal/device_list.h"

#include "base/strings.h"
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

constexpr std::string_view kLetters = "rwm";
constexpr int kAll = 7;

Result<int> access_of(const oci::DeviceRule& rule) {
  if (rule.access.empty()) return kAll;
  int bits = 0;
  for (char letter : rule.access) {
    size_t at = kLetters.find(letter);
    if (at == std::string_view::npos) return fail(Code::InvalidArgument, "invalid device access \"{}\"", rule.access);
    bits |= 1 << at;
  }
  return bits;
}

oci::DeviceRule rule_of(bool allow, const DeviceList::Key& key, int access) {
  return {allow, std::string(1, key.type), key.major, key.minor, format_access(access)};
}

int64_t number_or_any(std::string_view text) {
  return static_cast<int64_t>(parse_uint(text).value_or(static_cast<uint64_t>(-1)));
}

}  // namespace

std::string format_access(int bits) {
  std::string out;
  for (size_t i = 0; i < kLetters.size(); ++i)
    if (bits & 1 << i) out += kLetters[i];
  return out;
}

Result<DeviceList> DeviceList::of_rules(const std::vector<oci::DeviceRule>& rules) {
  DeviceList list;
  for (const auto& rule : rules) TRY(list.add(rule));
  return list;
}

Result<DeviceList> DeviceList::of_kernel_list(std::string_view text) {
  DeviceList list;
  for (const auto& line : split(text, '\n')) {
    auto parts = words(line);
    if (parts.empty()) continue;
    auto numbers = parts.size() == 3 ? split_once(parts[1], ':') : std::nullopt;
    if (!numbers) return fail(Code::InvalidArgument, "strange line in devices.list: \"{}\"", line);
    TRY(list.add({true, parts[0], number_or_any(numbers->first), number_or_any(numbers->second), parts[2]}));
  }
  return list;
}

Result<void> DeviceList::add(const oci::DeviceRule& rule) {
  if (rule.type.empty() || rule.type == "a") {
    exceptions_.clear();
    default_allow_ = rule.allow;
    return {};
  }
  if (rule.type != "c" && rule.type != "b")
    return fail(Code::InvalidArgument, "invalid device cgroup type \"{}\"", rule.type);
  int access = TRY(access_of(rule));
  Key key{rule.type[0], std::max<int64_t>(rule.major.value_or(-1), -1), std::max<int64_t>(rule.minor.value_or(-1), -1)};
  if (rule.allow == default_allow_) return take_back(key, access);
  exceptions_[key] |= access;
  return {};
}

Result<void> DeviceList::take_back(const Key& key, int access) {
  for (const Key& wider : {Key{key.type, -1, key.minor}, Key{key.type, key.major, -1}, Key{key.type, -1, -1}}) {
    auto found = exceptions_.find(wider);
    if (wider == key || found == exceptions_.end() || (found->second & access) == 0) continue;
    return fail(Code::InvalidArgument, "device rule \"{}\" not supported by devices cgroup v1: it is part of \"{}\"",
                format_device_rule(rule_of(!default_allow_, key, access)),
                format_device_rule(rule_of(!default_allow_, wider, found->second)));
  }
  auto found = exceptions_.find(key);
  if (found != exceptions_.end() && (found->second &= ~access) == 0) exceptions_.erase(found);
  return {};
}

std::vector<oci::DeviceRule> DeviceList::changes_to(const DeviceList& target) const {
  std::vector<oci::DeviceRule> changes;
  std::map<Key, int> old = exceptions_;
  if (default_allow_ || target.default_allow_) {  // what a list that allows all refuses cannot be read: begin anew
    changes.push_back({target.default_allow_, "a", {}, {}, "rwm"});
    old.clear();
  }
  for (const auto& [key, access] : old) {
    auto kept = target.exceptions_.find(key);
    int dropped = access & ~(kept == target.exceptions_.end() ? 0 : kept->second);
    if (dropped) changes.push_back(rule_of(target.default_allow_, key, dropped));
  }
  for (const auto& [key, access] : target.exceptions_) {
    auto had = old.find(key);
    int gained = access & ~(had == old.end() ? 0 : had->second);
    if (gained) changes.push_back(rule_of(!target.default_allow_, key, gained));
  }
  return changes;
}

}  // namespace sampan::cgroup::internal
