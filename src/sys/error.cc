#include "sys/error.h"

#include <cerrno>

namespace sampan::sys {

Error sys_error_of(int err, std::string_view call, std::string_view operand) {
  std::string text(call);
  if (!operand.empty()) text += fmt::format(" \"{}\"", operand);
  return errno_error(err, std::move(text));
}

Error sys_error(std::string_view call, std::string_view operand) {
  return sys_error_of(errno, call, operand);
}

}  // namespace sampan::sys
