#pragma once
// container/link: a legacy link, as HostConfig.Links and EndpointSettings.Links spell it. Pure.

#include <string>

namespace sampan::container {

struct Link {
  std::string name;   // of the other container, or its id
  std::string alias;  // what it is called here; the same when none was given
};
/// Takes "db", "db:store" and what inspect shows, "/db:/web/store".
Link parse_link(const std::string& text);

}  // namespace sampan::container
