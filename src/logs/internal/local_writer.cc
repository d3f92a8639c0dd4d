// The writer of Docker's `local` format.

#include "logs/internal/file_writers.h"
#include "logs/internal/local_entry.h"
#include "logs/internal/rotating_file.h"

namespace sampan::logs {

namespace {

constexpr size_t kBatch = 128 << 10;

class LocalWriter final : public Writer {
 public:
  explicit LocalWriter(const WriterOptions& options)
      : file_({options.path, options.max_size, options.max_file, options.compress}),
        attributes_(format_local_attributes(options.attributes)) {}

  Result<void> open();
  Result<void> write(Stream stream, std::string_view bytes, codec::Time now) override;
  Result<void> flush(codec::Time now) override;
  void trim() override {
    splitter_.trim();
    batch_ = {};
  }

 private:
  void add(const Entry& entry);
  void write_batch();
  Result<void> take_error();

  RotatingFile file_;
  std::string attributes_;
  LineSplitter splitter_;
  std::string batch_;
  int64_t newest_ns_ = 0;
  std::optional<Error> error_;  // one entry that does not fit on the disk does not stop the others
};

Result<void> LocalWriter::open() {
  TRY(file_.open());
  int64_t end = TRY(find_local_end(file_.fd(), file_.size()));
  if (end < file_.size()) TRY(file_.cut(end));
  return {};
}

Result<void> LocalWriter::write(Stream stream, std::string_view bytes, codec::Time now) {
  splitter_.write(stream, bytes, now, [this](const Entry& entry) { add(entry); });
  write_batch();
  return take_error();
}

Result<void> LocalWriter::flush(codec::Time now) {
  splitter_.flush(now, [this](const Entry& entry) { add(entry); });
  write_batch();
  return take_error();
}

void LocalWriter::add(const Entry& entry) {
  if (file_.full(batch_.size())) {
    write_batch();
    if (auto done = file_.rotate(); !done) error_ = std::move(done).error();
  }
  append_local_entry(batch_, entry, attributes_);
  newest_ns_ = std::max(newest_ns_, entry.time.unix_nanos);
  if (batch_.size() >= kBatch) write_batch();
}

void LocalWriter::write_batch() {
  if (batch_.empty()) return;
  if (auto done = file_.append(batch_, newest_ns_); !done) error_ = std::move(done).error();
  batch_.clear();
}

Result<void> LocalWriter::take_error() {
  if (!error_) return {};
  return *std::exchange(error_, std::nullopt);
}

}  // namespace

Result<std::unique_ptr<Writer>> open_local_writer(const WriterOptions& options) {
  auto writer = std::make_unique<LocalWriter>(options);
  TRY(writer->open());
  return std::unique_ptr<Writer>(std::move(writer));
}

}  // namespace sampan::logs
