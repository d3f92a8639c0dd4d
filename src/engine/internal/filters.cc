#include "engine/internal/filters.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/strings.h"
#include "container/lifecycle.h"

namespace sampan::engine {

namespace {

using container::ContainerRecord;
using Values = std::vector<std::string>;
using Test = std::function<bool(const ContainerRecord&)>;

bool contains(const Values& values, const std::string& value) {
  return std::ranges::find(values, value) != values.end();
}

Error invalid(const std::string& key, const std::string& value) {
  return fail(Code::InvalidArgument, "invalid filter '{}={}'", key, value);
}

int64_t nanos_of(const std::string& time) {
  auto parsed = codec::parse_rfc3339(time);
  return parsed ? parsed->unix_nanos : 0;
}

/// Docker's Match: equal to one of the values, or found by it as a regular expression.
class Patterns {
 public:
  explicit Patterns(const Values& values) : values_(values) {
    RE2::Options options;
    options.set_log_errors(false);  // a pattern that is none still matches as a text
    for (const auto& value : values) patterns_.push_back(std::make_shared<RE2>(value, options));
  }
  bool match(const std::string& text) const {
    if (contains(values_, text)) return true;
    return std::ranges::any_of(patterns_, [&](const auto& p) { return p->ok() && RE2::PartialMatch(text, *p); });
  }

 private:
  Values values_;
  std::vector<std::shared_ptr<RE2>> patterns_;
};

/// "80", "80/udp", "8000-8010/tcp" as the keys that port maps have.
Result<std::set<std::string>> expand_ports(const std::string& key, const Values& values) {
  std::set<std::string> out;
  for (const auto& value : values) {
    auto parts = split_once(value, '/');
    std::string protocol(parts ? parts->second : std::string_view("tcp"));
    std::string numbers(parts ? parts->first : std::string_view(value));
    auto range = split_once(numbers, '-');
    auto first = parse_uint(range ? range->first : std::string_view(numbers));
    auto last = range ? parse_uint(range->second) : first;
    bool known = protocol == "tcp" || protocol == "udp" || protocol == "sctp";
    if (!known || !first || !last || *first > *last || *last > 65535) return invalid(key, value);
    for (uint64_t port = *first; port <= *last; ++port) out.insert(fmt::format("{}/{}", port, protocol));
  }
  return out;
}

std::string health_word(const ContainerRecord& record) {
  return record.state.health ? record.state.health->status : "none";
}

Result<Test> compile_exited(const Values& values) {
  std::set<int64_t> codes;
  for (const auto& value : values) {
    auto code = parse_int(value);
    if (!code) return invalid("exited", value);
    codes.insert(*code);
  }
  return Test([codes](const ContainerRecord& record) {
    return !record.state.running() && record.has_been_started && codes.contains(record.state.exit_code);
  });
}

Result<Test> compile_words(const std::string& key, const Values& values) {
  for (const auto& value : values) {
    bool known = key == "status" ? container::find_status(value).has_value()
                                 : contains({"none", "starting", "healthy", "unhealthy"}, value);
    if (!known) return invalid(key, value);
  }
  if (key == "status") {
    return Test([values](const ContainerRecord& record) { return contains(values, record.state.status); });
  }
  return Test([values](const ContainerRecord& record) { return contains(values, health_word(record)); });
}

Result<Test> compile_ports(const std::string& key, const Values& values) {
  auto ports = TRY(expand_ports(key, values));
  if (key == "expose") {
    return Test([ports](const ContainerRecord& record) {
      return std::ranges::any_of(record.config.exposed_ports, [&](const auto& port) { return ports.contains(port); });
    });
  }
  return Test([ports](const ContainerRecord& record) {
    return std::ranges::any_of(record.ports, [&](const auto& item) { return ports.contains(item.first); });
  });
}

Result<Test> compile_order(const std::string& key, const Values& values, const FilterLookups& lookups) {
  std::vector<int64_t> limits;
  for (const auto& value : values) {
    auto created = lookups.created_of(value);
    if (!created) return fail(Code::NotFound, "No such container: {}", value);
    limits.push_back(nanos_of(*created));
  }
  bool before = key == "before";
  return Test([limits, before](const ContainerRecord& record) {
    int64_t created = nanos_of(record.created);
    return std::ranges::all_of(limits, [&](int64_t limit) { return before ? created < limit : created > limit; });
  });
}

Test compile_ancestor(const Values& values, const FilterLookups& lookups) {
  std::set<std::string> images;
  for (const auto& value : values) images.merge(lookups.image_and_descendants(value));
  return [images, values](const ContainerRecord& record) {
    return images.contains(record.image_id) || contains(values, record.config.image);
  };
}

Test compile_volume(const Values& values) {
  return [values](const ContainerRecord& record) {
    return std::ranges::any_of(record.mounts, [&](const auto& point) {
      return contains(values, point.destination) || (!point.name.empty() && contains(values, point.name));
    });
  };
}

Test compile_network(const Values& values) {
  return [values](const ContainerRecord& record) {
    return std::ranges::any_of(record.networks, [&](const auto& item) {
      const auto& id = item.second.network_id;
      return contains(values, item.first) || (!id.empty() && std::ranges::any_of(values, [&](const auto& v) {
               return v.size() >= 3 && id.starts_with(v);
             }));
    });
  };
}

Result<Test> compile_one(const std::string& key, const Values& values, const FilterLookups& lookups) {
  if (key == "exited") return compile_exited(values);
  if (key == "status" || key == "health") return compile_words(key, values);
  if (key == "publish" || key == "expose") return compile_ports(key, values);
  if (key == "before" || key == "since") return compile_order(key, values, lookups);
  if (key == "ancestor") return compile_ancestor(values, lookups);
  if (key == "volume") return compile_volume(values);
  if (key == "network") return compile_network(values);
  if (key == "label") {
    return Test([values](const ContainerRecord& record) { return labels_match(values, record.config.labels); });
  }
  if (key == "id") {
    return Test([p = Patterns(values)](const ContainerRecord& record) { return p.match(record.id); });
  }
  if (key == "name") {
    return Test([p = Patterns(values)](const ContainerRecord& record) {
      return p.match(record.name) || p.match("/" + record.name);
    });
  }
  if (key == "is-task") {  // tasks are the cluster's; a container of this engine is none
    for (const auto& value : values) {
      if (!contains({"true", "false", "1", "0"}, value)) return invalid(key, value);
    }
    bool tasks = contains(values, "true") || contains(values, "1");
    bool others = contains(values, "false") || contains(values, "0");
    return Test([keep = others || !tasks](const ContainerRecord&) { return keep; });
  }
  if (key == "isolation") {  // Linux has one
    bool keep = contains(values, "default") || contains(values, "");
    return Test([keep](const ContainerRecord&) { return keep; });
  }
  return fail(Code::InvalidArgument, "invalid filter '{}'", key);
}

}  // namespace

Result<ContainerFilter> ContainerFilter::compile(const Filters& filters, const FilterLookups& lookups) {
  ContainerFilter out;
  for (const auto& [key, values] : filters) {
    auto test = TRY(compile_one(key, values, lookups));
    if (values.empty()) continue;
    out.tests_.push_back(std::move(test));
    if (key == "status" || key == "exited") out.wants_all_ = true;
  }
  return out;
}

bool ContainerFilter::matches(const ContainerRecord& record) const {
  return std::ranges::all_of(tests_, [&](const Test& test) { return test(record); });
}

Result<void> check_filter_keys(const Filters& filters, const std::set<std::string>& known) {
  for (const auto& [key, values] : filters) {
    if (!known.contains(key)) return fail(Code::InvalidArgument, "invalid filter '{}'", key);
  }
  return {};
}

bool labels_match(const Values& wanted, const std::map<std::string, std::string>& labels) {
  return std::ranges::all_of(wanted, [&](const std::string& text) {
    auto parts = split_once(text, '=');
    auto it = labels.find(std::string(parts ? parts->first : std::string_view(text)));
    return it != labels.end() && (!parts || it->second == parts->second);
  });
}

Result<PruneFilter> PruneFilter::compile(const Filters& filters, codec::Time now,
                                         const std::set<std::string>& more_keys) {
  PruneFilter out;
  for (const auto& [key, values] : filters) {
    if (key == "label") {
      out.labels_ = values;
    } else if (key == "label!") {
      out.not_labels_ = values;
    } else if (key == "until" && !more_keys.contains("all")) {  // volumes have no until
      if (values.size() != 1) return fail(Code::InvalidArgument, "more than one until filter specified");
      auto age = codec::parse_go_duration(values[0]);
      out.until_ = age ? codec::Time{now.unix_nanos - *age} : TRY(codec::parse_timestamp(values[0]));
    } else if (!more_keys.contains(key)) {
      return fail(Code::InvalidArgument, "invalid filter '{}'", key);
    }
  }
  return out;
}

bool PruneFilter::matches(const std::map<std::string, std::string>& labels, const std::string& created) const {
  if (!labels_match(labels_, labels)) return false;
  for (const auto& unwanted : not_labels_) {
    if (labels_match({unwanted}, labels)) return false;
  }
  return !until_ || nanos_of(created) < until_->unix_nanos;
}

}  // namespace sampan::engine
