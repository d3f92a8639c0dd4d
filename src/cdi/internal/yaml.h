#pragma once
// cdi/yaml: YAML's values as JSON's.

#include <string>

#include "base/result.h"
#include "codec/json.h"

namespace sampan::cdi {

/// Errors: InvalidArgument (syntax with its line; nesting deeper than any specification's; more than one document).
Result<boost::json::value> parse_yaml(const std::string& text);

}  // namespace sampan::cdi
