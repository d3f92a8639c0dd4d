#pragma once
// logger/syslog: the message formats of the syslog driver.

#include <string>
#include <string_view>

#include "base/result.h"
#include "logger/internal/receiver.h"

namespace sampan::logger {

enum class SyslogFormat { Unix, Rfc3164, Rfc5424, Rfc5424Micro };
Result<SyslogFormat> parse_syslog_format(std::string_view text);

struct SyslogStyle {
  SyslogFormat format = SyslogFormat::Unix;
  int facility = 3 << 3;
  std::string host, tag;
  int pid = 0;
  bool count_bytes = false;  // RFC 5425's framing: the length in front
};
/// One message with its "\n". Standard error has the severity "error", standard output "informational".
std::string format_syslog(const SyslogStyle& style, const ForwardedEntry& entry);

}  // namespace sampan::logger
