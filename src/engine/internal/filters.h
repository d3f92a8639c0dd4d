#pragma once
// engine/internal/filters: `--filter` of lists and prunes. Pure: what must be looked up comes in as functions.

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "container/record.h"
#include "engine/engine.h"

namespace sampan::engine {

struct FilterLookups {
  /// The container's creation time by name or id; nullopt: no such container.
  std::function<std::optional<std::string>(const std::string&)> created_of;
  /// Ids of the image and of everything built on it; empty: no such image.
  std::function<std::set<std::string>(const std::string&)> image_and_descendants;
};

/// The filters of `docker ps`, compiled once for a list.
class ContainerFilter {
 public:
  /// Errors: InvalidArgument `invalid filter 'x'`, `invalid filter 'status=x'`; NotFound (before, since).
  static Result<ContainerFilter> compile(const Filters& filters, const FilterLookups& lookups);
  bool matches(const container::ContainerRecord& record) const;
  /// Stopped containers are listed, too, when a filter asks for something only they can have.
  bool wants_all() const { return wants_all_; }

 private:
  using Test = std::function<bool(const container::ContainerRecord&)>;
  std::vector<Test> tests_;
  bool wants_all_ = false;
};

/// Errors: InvalidArgument for a key that is not in `known`.
Result<void> check_filter_keys(const Filters& filters, const std::set<std::string>& known);
/// "k" or "k=v", each of which must hold.
bool labels_match(const std::vector<std::string>& wanted, const std::map<std::string, std::string>& labels);
/// The prune filters label, label! and until.
class PruneFilter {
 public:
  static Result<PruneFilter> compile(const Filters& filters, codec::Time now,
                                     const std::set<std::string>& more_keys = {});
  bool matches(const std::map<std::string, std::string>& labels, const std::string& created) const;

 private:
  std::vector<std::string> labels_, not_labels_;
  std::optional<codec::Time> until_;
};

}  // namespace sampan::engine
