#include "oci/spec.h"

#include "codec/json.h"

namespace sampan::oci {

Result<Spec> parse_spec(std::string_view json) {
  return codec::from_json<Spec>(json);
}
std::string format_spec(const Spec& spec) {
  return codec::to_json(spec);
}
Result<Process> parse_process(std::string_view json) {
  return codec::from_json<Process>(json);
}
Result<Resources> parse_resources(std::string_view json) {
  return codec::from_json<Resources>(json);
}

}  // namespace sampan::oci
