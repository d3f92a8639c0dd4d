#include "container/record.h"

#include "codec/json.h"

namespace sampan::container {

Result<ContainerRecord> parse_record(std::string_view json) {
  return codec::from_json<ContainerRecord>(json);
}
std::string format_record(const ContainerRecord& record) {
  return codec::to_json(record);
}

}  // namespace sampan::container
