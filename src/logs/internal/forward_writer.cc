// The writer of drivers that send away: to the container's logger, and to a copy that can be read back.

#include "logs/internal/file_writers.h"
#include "logs/internal/logger_link.h"

namespace sampan::logs {

namespace {

constexpr auto kLastWords = std::chrono::milliseconds(2000);

class ForwardWriter final : public Writer {
 public:
  explicit ForwardWriter(const WriterOptions& options)
      : link_(options.forwarding->program, {.driver = options.driver,
                                            .settings = options.forwarding->settings,
                                            .attributes = options.attributes,
                                            .blocking = options.forwarding->blocking,
                                            .buffer_bytes = options.forwarding->buffer_bytes}) {}

  Result<void> open(const WriterOptions& options) {
    TRY_CONTEXT(link_.open(), "failed to initialize logging driver");
    if (!options.path.empty()) copy_ = TRY_CONTEXT(open_local_writer(options), "open the log");
    return {};
  }

  Result<void> write(Stream stream, std::string_view bytes, codec::Time now) override {
    splitter_.write(stream, bytes, now, [this](const Entry& entry) { link_.add(entry); });
    link_.push();
    return copy_ ? copy_->write(stream, bytes, now) : Result<void>();
  }

  Result<void> flush(codec::Time now) override {
    auto copied = copy_ ? copy_->flush(now) : Result<void>();
    splitter_.flush(now, [this](const Entry& entry) { link_.add(entry); });
    link_.close(kLastWords);
    return copied;
  }

  void trim() override {
    splitter_.trim();
    link_.trim();
    if (copy_) copy_->trim();
  }

  int backlog_fd() const override { return link_.fd(); }
  bool stalled() const override { return link_.stalled(); }
  void push_backlog() override { link_.push(); }

 private:
  LineSplitter splitter_;
  LoggerLink link_;
  std::unique_ptr<Writer> copy_;
};

}  // namespace

Result<std::unique_ptr<Writer>> open_forward_writer(const WriterOptions& options) {
  auto writer = std::make_unique<ForwardWriter>(options);
  TRY(writer->open(options));
  return std::unique_ptr<Writer>(std::move(writer));
}

}  // namespace sampan::logs
