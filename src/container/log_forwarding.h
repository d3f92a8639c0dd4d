#pragma once
// container/log_forwarding: the log drivers that send away: which options they have, and what becomes of them.

#include <map>
#include <string>

#include "base/result.h"
#include "container/record.h"
#include "logs/logs.h"

namespace sampan::container {

bool is_forwarding_driver(const std::string& driver);
/// Whether a copy is kept that can be read back (`cache-disabled`).
bool keeps_log_copy(const ContainerRecord& record);
/// The writer's options; `path` is of the copy. The program of the logger is the caller's to fill in.
/// Errors: InvalidArgument in Docker's words.
Result<logs::WriterOptions> plan_forwarding(const ContainerRecord& record, const std::string& path);

/// The options env, env-regex, labels and labels-regex, which all drivers have; false: it is none of them.
Result<bool> take_attribute_option(const ContainerRecord& record, const std::string& name, const std::string& value,
                                   std::map<std::string, std::string>& out);

}  // namespace sampan::container
