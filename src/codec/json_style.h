#pragma once
// codec/json_style: how a described struct's members are named in JSON. Light enough for public headers.

#include <span>

namespace sampan::codec {

enum class Naming { Pascal, Camel, Snake };  // DockerNames, ociNames, plain_names
enum class Emit { All, NonEmpty };

struct JsonName {
  const char* member;
  const char* json;
};

struct JsonStyle {
  Naming naming = Naming::Pascal;
  Emit emit = Emit::All;
  std::span<const JsonName> names = {};
};

}  // namespace sampan::codec
