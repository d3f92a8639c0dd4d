#pragma once
// sys/error: errno captured where it is born, with the call and its operands.

#include <string_view>

#include "base/result.h"

namespace sampan::sys {

/// `openat2 "/etc/x": No such file or directory`, from the current errno. Call it before anything else can change
/// errno.
Error sys_error(std::string_view call, std::string_view operand = {});
Error sys_error_of(int err, std::string_view call, std::string_view operand = {});

}  // namespace sampan::sys
