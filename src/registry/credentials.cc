#include "codec/json.h"
#include "codec/text.h"
#include "registry/registry.h"

namespace sampan::registry {

Credentials parse_registry_auth(std::string_view header) {
  Credentials out;
  if (header.empty() || header.size() > (256 << 10)) return out;
  auto text = codec::parse_base64(header);
  if (!text) return out;
  auto value = codec::parse_json(*text);
  if (!value || !value->is_object()) return out;
  const auto& object = value->get_object();
  auto read = [&](const char* name) {
    const auto* member = object.if_contains(name);
    return member && member->is_string() ? std::string(member->get_string()) : std::string();
  };
  out.username = read("username");
  out.password = read("password");
  out.identity_token = read("identitytoken");
  out.registry_token = read("registrytoken");
  out.server_address = read("serveraddress");
  if (std::string auth = read("auth"); out.username.empty() && !auth.empty()) {
    auto pair = codec::parse_base64(auth);
    auto colon = pair ? pair->find(':') : std::string::npos;
    if (pair && colon != std::string::npos) {
      out.username = pair->substr(0, colon);
      out.password = pair->substr(colon + 1);
    }
  }
  // A header line cannot carry these, and nobody types them.
  for (auto* field : {&out.username, &out.password, &out.identity_token, &out.registry_token}) {
    if (field->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) return Credentials{};
  }
  return out;
}

}  // namespace sampan::registry
