#pragma once
// base/ids: identifiers as distinct types, so that a volume's name is never passed for a container's id.

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace sampan {

template <typename Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(std::string value) : value_(std::move(value)) {}
  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const StrongId&) const = default;

 private:
  std::string value_;
};

/// 64 lower-case hexadecimal digits.
using ContainerId = StrongId<struct ContainerIdTag>;
/// One path component made by us, the name of a directory under snapshots/.
using SnapshotKey = StrongId<struct SnapshotKeyTag>;

}  // namespace sampan

template <typename Tag>
struct std::hash<sampan::StrongId<Tag>> {
  size_t operator()(const sampan::StrongId<Tag>& id) const { return std::hash<std::string>()(id.str()); }
};
