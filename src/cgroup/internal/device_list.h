#pragma once
// device_list: what a list of device rules amounts to, as the version 1 controller keeps it: everything is allowed or
// refused, with exceptions. Pure.

#include <compare>
#include <map>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"

namespace sampan::cgroup::internal {

class DeviceList {
 public:
  struct Key {
    char type = 'c';
    int64_t major = -1, minor = -1;  // -1 is any
    auto operator<=>(const Key&) const = default;
  };

  /// The rules one after the other, from "nothing is allowed".
  /// Errors: InvalidArgument (an unknown type or access; a rule that takes back part of an exception with a wildcard,
  /// which the kernel would ignore without a word).
  static Result<DeviceList> of_rules(const std::vector<oci::DeviceRule>& rules);
  /// The content of devices.list. A list that allows everything does not tell its exceptions.
  static Result<DeviceList> of_kernel_list(std::string_view text);

  bool allows_by_default() const { return default_allow_; }
  /// Access bits: read 1, write 2, mknod 4.
  const std::map<Key, int>& exceptions() const { return exceptions_; }
  /// The rules that lead from this list to `target`, with as little refused on the way as can be: processes run.
  std::vector<oci::DeviceRule> changes_to(const DeviceList& target) const;
  bool operator==(const DeviceList&) const = default;

 private:
  Result<void> add(const oci::DeviceRule& rule);
  Result<void> take_back(const Key& key, int access);
  bool default_allow_ = false;
  std::map<Key, int> exceptions_;
};

std::string format_access(int bits);

}  // namespace sampan::cgroup::internal
