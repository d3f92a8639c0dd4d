#pragma once
// WWW-Authenticate, parsed (RFC 9110 11.6.1).

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sampan::registry {

struct Challenge {
  std::string scheme;                             // lower case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  // names in lower case
  std::string get(const std::string& name) const {
    auto found = parameters.find(name);
    return found == parameters.end() ? std::string() : found->second;
  }
};

/// Every challenge of one header value; what cannot be read is left out.
std::vector<Challenge> parse_challenges(std::string_view header);

}  // namespace sampan::registry
