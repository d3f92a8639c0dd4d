#include "logger/internal/syslog.h"

#include <unistd.h>

#include <array>
#include <ctime>
#include <optional>

#include "logger/internal/channel.h"

namespace sampan::logger {

namespace {

constexpr int kError = 3, kInformational = 6;

tm local_time(codec::Time time) {
  time_t seconds = time.unix_nanos / 1'000'000'000;
  tm out{};
  ::localtime_r(&seconds, &out);
  return out;
}

std::string format_time(const tm& time, const char* format) {
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &time)};
}

/// "2026-01-02T03:04:05[.000006]+01:00"; UTC is "Z".
std::string format_iso(codec::Time time, bool micro) {
  tm local = local_time(time);
  std::string out = format_time(local, "%Y-%m-%dT%H:%M:%S");
  if (micro) out += fmt::format(".{:06}", time.unix_nanos % 1'000'000'000 / 1000);
  if (local.tm_gmtoff == 0) return out + "Z";
  long minutes = std::abs(local.tm_gmtoff) / 60;
  return out + fmt::format("{}{:02}:{:02}", local.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

constexpr const char* kLocalSockets[] = {"/dev/log", "/var/run/syslog", "/var/run/log"};

class Syslog final : public Receiver {
 public:
  Syslog(logs::Endpoint endpoint, SyslogStyle style, TlsOptions tls)
      : endpoint_(std::move(endpoint)), style_(std::move(style)), tls_(std::move(tls)) {}

  Result<void> connect() override {
    channel_.reset();
    channel_ = endpoint_.scheme.empty() ? TRY(connect_local()) : TRY(dial(endpoint_, tls_));
    return {};
  }

  Result<void> send(std::span<const ForwardedEntry> entries) override {
    if (!channel_) return fail(Code::Unavailable, "not connected");
    bool stream = endpoint_.scheme.starts_with("tcp") || endpoint_.scheme == "unix";
    std::string bytes;
    for (const auto& entry : entries) {
      if (entry.text.empty()) continue;
      bytes += format_syslog(style_, entry);
      if (stream) continue;
      TRY(channel_->write(bytes));
      bytes.clear();
    }
    return bytes.empty() ? Result<void>() : channel_->write(bytes);
  }

 private:
  static Result<std::unique_ptr<Channel>> connect_local() {
    for (const char* scheme : {"unixgram", "unix"}) {
      for (const char* path : kLocalSockets) {
        if (auto channel = dial({.scheme = scheme, .path = path})) return channel;
      }
    }
    return fail(Code::Unavailable, "Unix syslog delivery error");
  }

  logs::Endpoint endpoint_;
  SyslogStyle style_;
  TlsOptions tls_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace

Result<SyslogFormat> parse_syslog_format(std::string_view text) {
  if (text.empty()) return SyslogFormat::Unix;
  if (text == "rfc3164") return SyslogFormat::Rfc3164;
  if (text == "rfc5424") return SyslogFormat::Rfc5424;
  if (text == "rfc5424micro") return SyslogFormat::Rfc5424Micro;
  return fail(Code::InvalidArgument, "Invalid syslog format");
}

std::string format_syslog(const SyslogStyle& style, const ForwardedEntry& entry) {
  int priority = style.facility | (entry.stream == logs::Stream::Stderr ? kError : kInformational);
  std::string out;
  switch (style.format) {
    case SyslogFormat::Unix:
      out = fmt::format("<{}>{} {}[{}]: {}\n", priority, format_time(local_time(entry.time), "%b %e %H:%M:%S"),
                        style.tag, style.pid, entry.text);
      break;
    case SyslogFormat::Rfc3164:
      out = fmt::format("<{}>{} {} {}[{}]: {}\n", priority, format_time(local_time(entry.time), "%b %e %H:%M:%S"),
                        style.host, style.tag, style.pid, entry.text);
      break;
    default:
      out = fmt::format("<{}>1 {} {} {} {} {} - {}\n", priority,
                        format_iso(entry.time, style.format == SyslogFormat::Rfc5424Micro), style.host, style.tag,
                        style.pid, style.tag, entry.text);
  }
  return style.count_bytes ? fmt::format("{} {}", out.size(), out) : out;
}

Result<std::unique_ptr<Receiver>> make_syslog(const ForwardHello& hello) {
  auto endpoint = TRY(logs::parse_syslog_address(setting(hello, "syslog-address")));
  SyslogStyle style{.format = TRY(parse_syslog_format(setting(hello, "syslog-format"))),
                    .facility = TRY(logs::parse_syslog_facility(setting(hello, "syslog-facility"))),
                    .host = host_name(),
                    .tag = setting(hello, "tag"),
                    .pid = ::getpid()};
  style.count_bytes = endpoint.scheme == "tcp+tls" && style.format >= SyslogFormat::Rfc5424;
  TlsOptions tls{.ca_file = setting(hello, "syslog-tls-ca-cert"),
                 .cert_file = setting(hello, "syslog-tls-cert"),
                 .key_file = setting(hello, "syslog-tls-key"),
                 .skip_verify = hello.settings.contains("syslog-tls-skip-verify")};
  return std::unique_ptr<Receiver>(std::make_unique<Syslog>(std::move(endpoint), std::move(style), std::move(tls)));
}

}  // namespace sampan::logger
