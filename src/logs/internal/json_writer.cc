// The json-file writer: records are built in a batch, and go to the file in one write for each piece of output.

#include <unistd.h>

#include <cstring>

#include "logs/internal/file_writers.h"
#include "logs/internal/json_line.h"
#include "logs/internal/line_splitter.h"
#include "logs/internal/rotating_file.h"

namespace sampan::logs {

namespace {

constexpr size_t kBatch = 128 << 10;  // records go to the file in writes of about this size
constexpr std::string_view kHead = "{\"log\":\"";

/// Where to cut a line that is too long: at kMaxLine, or a little before so that no UTF-8 sequence is torn.
size_t cut_of(std::string_view text) {
  size_t cut = kMaxLine;
  for (int i = 0; i < 3 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80; ++i) --cut;
  return (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80 ? kMaxLine : cut;
}

class JsonFileWriter final : public Writer {
 public:
  explicit JsonFileWriter(const WriterOptions& options)
      : file_({options.path, options.max_size, options.max_file, options.compress}),
        attributes_(format_attributes(options.attributes)) {}

  Result<void> open();
  Result<void> write(Stream stream, std::string_view bytes, codec::Time now) override;
  Result<void> flush(codec::Time now) override;
  void trim() override {
    if (batch_size_ == 0) batch_.reset();
    if (partial_[0].empty()) partial_[0] = {};
    if (partial_[1].empty()) partial_[1] = {};
  }

 private:
  std::string& partial(Stream stream) { return partial_[stream == Stream::Stderr]; }
  Result<void> take_piece(Stream stream, std::string_view& bytes);
  void format_end(Stream stream, codec::Time now);
  Result<void> add_record(std::string_view text);
  Result<void> write_batch();

  RotatingFile file_;
  std::string attributes_;
  codec::Time now_;         // of the records in the batch
  std::string partial_[2];  // of stdout and stderr: the line that has not ended yet
  std::unique_ptr<char[]> batch_;
  size_t batch_size_ = 0;
  std::string end_;  // of a record: everything behind its text
  TimeFormatter times_;
};

Result<void> JsonFileWriter::open() {
  TRY(file_.open());
  char last = '\n';
  // A writer that was killed in the middle of a record: end it, so that it spoils only itself.
  if (file_.size() > 0 && ::pread(file_.fd(), &last, 1, file_.size() - 1) == 1 && last != '\n')
    TRY(file_.append("\n", 0));
  return {};
}

Result<void> JsonFileWriter::write(Stream stream, std::string_view bytes, codec::Time now) {
  format_end(stream, now);
  std::optional<Error> error;  // one record that does not fit on the disk does not stop the others
  while (!bytes.empty()) {
    if (auto done = take_piece(stream, bytes); !done) error = std::move(done).error();
  }
  if (auto done = write_batch(); !done) error = std::move(done).error();
  if (error) return std::move(*error);
  return {};
}

/// Takes one line, or one part of a long one, or the unfinished rest, from the front of `bytes`.
Result<void> JsonFileWriter::take_piece(Stream stream, std::string_view& bytes) {
  std::string& held = partial(stream);
  size_t room = kMaxLine - held.size();
  const void* newline = std::memchr(bytes.data(), '\n', std::min(bytes.size(), room + 1));
  size_t length = newline ? static_cast<size_t>(static_cast<const char*>(newline) - bytes.data()) + 1 : bytes.size();
  if (newline && held.empty()) {
    std::string_view line = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return add_record(line);
  }
  if (!newline && length > room) length = room + 1;  // one byte more, to see whether the cut tears a character
  held.append(bytes.substr(0, length));
  bytes.remove_prefix(length);
  if (newline) {
    auto added = add_record(held);
    held.clear();
    return added;
  }
  if (held.size() <= kMaxLine) return {};
  size_t cut = cut_of(held);
  auto added = add_record(std::string_view(held).substr(0, cut));
  held.erase(0, cut);
  return added;
}

/// What follows the text of every record of this stream at this moment.
void JsonFileWriter::format_end(Stream stream, codec::Time now) {
  now_ = now;
  end_ = stream == Stream::Stderr ? "\",\"stream\":\"stderr\"," : "\",\"stream\":\"stdout\",";
  end_ += attributes_;
  end_ += "\"time\":\"";
  times_.append(end_, now);
  end_ += "\"}\n";
}

Result<void> JsonFileWriter::add_record(std::string_view text) {
  if (file_.full(batch_size_)) {
    TRY(write_batch());
    TRY(file_.rotate());
  }
  // Room for one record more than a batch, escaped as badly as can be; its pages exist only when they are written.
  if (!batch_)
    batch_ = std::make_unique_for_overwrite<char[]>(kBatch + kHead.size() + kMaxEscape * (kMaxLine + 1) + end_.size());
  char* out = batch_.get() + batch_size_;
  std::memcpy(out, kHead.data(), kHead.size());
  out = escape_to(out + kHead.size(), text);
  std::memcpy(out, end_.data(), end_.size());
  batch_size_ = static_cast<size_t>(out + end_.size() - batch_.get());
  return batch_size_ >= kBatch ? write_batch() : Result<void>();
}

Result<void> JsonFileWriter::write_batch() {
  if (batch_size_ == 0) return {};
  size_t size = std::exchange(batch_size_, 0);
  return file_.append({batch_.get(), size}, now_.unix_nanos);
}

Result<void> JsonFileWriter::flush(codec::Time now) {
  for (Stream stream : {Stream::Stdout, Stream::Stderr}) {
    std::string& held = partial(stream);
    if (held.empty()) continue;
    format_end(stream, now);
    TRY(add_record(held));
    held.clear();
  }
  return write_batch();
}

}  // namespace

Result<std::unique_ptr<Writer>> open_json_writer(const WriterOptions& options) {
  auto writer = std::make_unique<JsonFileWriter>(options);
  TRY(writer->open());
  return std::unique_ptr<Writer>(std::move(writer));
}

}  // namespace sampan::logs
