#include "container/link.h"

#include "base/strings.h"

namespace sampan::container {

Link parse_link(const std::string& text) {
  auto parts = split_once(text, ':');
  std::string name(parts ? parts->first : std::string_view(text));
  std::string alias(parts ? parts->second : std::string_view(text));
  if (name.starts_with('/')) name.erase(0, 1);
  alias.erase(0, alias.rfind('/') + 1);
  return {name, alias};
}

}  // namespace sampan::container
