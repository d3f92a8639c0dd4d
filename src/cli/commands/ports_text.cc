#include "cli/commands/ports_text.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/strings.h"
#include "cli/commands/rows.h"

namespace sampan::cli {

namespace {

struct Port {
  std::string ip, proto;
  int64_t inside = 0, outside = 0;
};

// Ports that count up together, inside and (when published) outside.
struct Group {
  Port first;
  int64_t count = 1;

  bool takes(const Port& next) const {
    return next.ip == first.ip && next.proto == first.proto && next.inside == first.inside + count &&
           (first.outside ? next.outside == first.outside + count : next.outside == 0);
  }
  std::string text() const {
    auto range = [&](int64_t from) {
      return count == 1 ? std::to_string(from) : fmt::format("{}-{}", from, from + count - 1);
    };
    std::string out = range(first.inside) + "/" + first.proto;
    if (!first.outside) return out;
    bool v6 = first.ip.find(':') != std::string::npos;
    return fmt::format("{}:{}->{}", v6 ? "[" + first.ip + "]" : first.ip, range(first.outside), out);
  }
};

}  // namespace

std::string ports_text(const boost::json::array& list) {
  std::vector<Port> ports;
  for (const auto& item : list) {
    ports.push_back({text_at(item, "IP"), text_at(item, "Type"), number_at(item, "PrivatePort"), number_at(item, "PublicPort")});
    if (!ports.back().outside) ports.back().ip.clear();
  }
  // Published ports by address first, then those that are only exposed.
  std::ranges::sort(ports, {}, [](const Port& port) {
    return std::tuple(port.outside == 0, port.ip, port.proto, port.inside, port.outside);
  });
  std::vector<Group> groups;
  for (const Port& port : ports) {
    if (!groups.empty() && groups.back().takes(port)) {
      ++groups.back().count;
    } else {
      groups.push_back({port, 1});
    }
  }
  std::vector<std::string> out;
  for (const Group& group : groups) out.push_back(group.text());
  return join(out, ", ");
}

}  // namespace sampan::cli
