#pragma once
// container/log_tag: the `tag` option of a log driver, a Go template of which we know the fields and nothing else.

#include <string>

#include "base/result.h"
#include "container/record.h"

namespace sampan::container {

/// "{{.Name}}/{{.ID}}" for this container. Errors: InvalidArgument in the words of Go's templates.
Result<std::string> format_log_tag(const ContainerRecord& record, const std::string& text);

}  // namespace sampan::container
