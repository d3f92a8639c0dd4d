// Which writer a driver has.

#include "logs/internal/file_writers.h"
#include "logs/logs.h"

namespace sampan::logs {

namespace {

class NoWriter final : public Writer {
 public:
  Result<void> write(Stream, std::string_view, codec::Time) override { return {}; }
  Result<void> flush(codec::Time) override { return {}; }
  void trim() override {}
};

}  // namespace

Result<std::unique_ptr<Writer>> open_writer(const WriterOptions& options) {
  if (options.driver == "none") return std::unique_ptr<Writer>(std::make_unique<NoWriter>());
  if (options.forwarding) return open_forward_writer(options);
  if (options.driver == "json-file") return TRY_CONTEXT(open_json_writer(options), "open the log");
  if (options.driver == "local") return TRY_CONTEXT(open_local_writer(options), "open the log");
  return fail(Code::InvalidArgument, "logger: no log driver named '{}' is registered", options.driver);
}

Format format_of_driver(std::string_view driver) {
  return driver.empty() || driver == "json-file" ? Format::JsonFile : Format::Local;
}

}  // namespace sampan::logs
