#include "logger/internal/receiver.h"

#include <unistd.h>

#include <array>

namespace sampan::logger {

namespace {

struct Driver {
  std::string_view name;
  Result<std::unique_ptr<Receiver>> (*make)(const ForwardHello& hello);
};
constexpr Driver kDrivers[] = {
    {"syslog", make_syslog}, {"gelf", make_gelf}, {"fluentd", make_fluentd}, {"journald", make_journald}};

}  // namespace

Result<std::unique_ptr<Receiver>> make_receiver(const ForwardHello& hello) {
  for (const auto& driver : kDrivers) {
    if (driver.name == hello.driver) return driver.make(hello);
  }
  return fail(Code::InvalidArgument, "logger: no log driver named '{}' is registered", hello.driver);
}

std::string setting(const ForwardHello& hello, const std::string& name) {
  auto found = hello.settings.find(name);
  return found == hello.settings.end() ? "" : found->second;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace sampan::logger
