#include "cli/commands/ports_text.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "cli/commands/rows.h"

namespace sampan::cli {

namespace {

struct Port {
  int64_t inside = 0;
  std::string ip;
  int64_t outside = 0;
  std::string proto;
  auto operator<=>(const Port&) const = default;
};

// Neighbouring ports with the same address and protocol, whose numbers are the same inside and outside.
struct Group {
  Port first;
  int64_t last = 0;

  std::string text() const {
    std::string range = last == first.inside ? std::to_string(last) : fmt::format("{}-{}", first.inside, last);
    std::string out = range + "/" + first.proto;
    return first.outside ? fmt::format("{}:{}->{}", bracketed(first.ip), range, out) : out;
  }
  static std::string bracketed(const std::string& ip) {
    return ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
  }
};

}  // namespace

// Docker's order: the ranges that are complete, the ranges still open at the end, then the ports with another number
// outside, which are never joined.
std::string ports_text(const boost::json::array& list) {
  std::vector<Port> ports;
  for (const auto& item : list) {
    ports.push_back(
        {number_at(item, "PrivatePort"), text_at(item, "IP"), number_at(item, "PublicPort"), text_at(item, "Type")});
    if (!ports.back().outside) ports.back().ip.clear();
  }
  std::ranges::sort(ports);
  std::vector<Group> open;
  std::vector<std::string> out, mapped;
  for (const Port& port : ports) {
    if (port.outside && port.outside != port.inside) {
      mapped.push_back(fmt::format("{}:{}->{}/{}", Group::bracketed(port.ip), port.outside, port.inside, port.proto));
      continue;
    }
    auto group = std::ranges::find_if(
        open, [&](const Group& g) { return g.first.ip == port.ip && g.first.proto == port.proto; });
    if (group == open.end()) {
      open.push_back({port, port.inside});
    } else if (port.inside == group->last + 1) {
      group->last = port.inside;
    } else {
      out.push_back(group->text());
      *group = {port, port.inside};
    }
  }
  for (const Group& group : open) out.push_back(group.text());
  out.insert(out.end(), mapped.begin(), mapped.end());
  return join(out, ", ");
}

}  // namespace sampan::cli
