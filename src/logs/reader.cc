// The reader: a cursor over json-file logs that follows rotation.

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "logs/internal/json_line.h"
#include "logs/internal/log_files.h"
#include "logs/logs.h"
#include "sys/dir_watch.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::logs {

namespace {

constexpr size_t kChunk = 64 << 10;
constexpr size_t kMaxRecord = 1 << 20;  // no record of ours is longer: this is not a log

class JsonFileReader final : public Reader {
 public:
  JsonFileReader(std::string path, const ReadOptions& options) : path_(std::move(path)), options_(options) {}

  Result<void> open();
  Result<std::optional<Line>> next() override;
  int poll_fd() const override { return watch_.get(); }
  void acknowledge() override { sys::drain_watch(watch_.get()); }

 private:
  Result<void> seek_tail();
  void skip_old_files();
  void begin_file(int64_t offset);
  /// The next record in the buffer, without its "\n"; nullopt: read more.
  std::optional<std::string_view> take_record();
  /// Reads more of the present file; false at its end.
  Result<bool> fill();
  /// Goes to the next file; false when there is none yet.
  Result<bool> advance();
  bool wanted(const Line& line);

  std::string path_;
  ReadOptions options_;
  sys::Fd watch_;
  std::deque<LogFile> files_;  // the present one first, then those that follow it
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // what is unread in buffer_
  size_t searched_ = 0;         // from begin_: no "\n" there
  int64_t offset_ = 0;          // in the present file, of end_
  bool skipping_ = false;       // inside a record that is too long
  bool rotated_ = false;        // the present file is not the newest: one more look, then on to the next
  bool finished_ = false;       // past `until`
  TimeParser times_;
};

Result<void> JsonFileReader::open() {
  size_t slash = path_.rfind('/');
  // Before the files are opened: what is written from now on wakes the follower.
  watch_ = TRY(sys::watch_directory(slash == std::string::npos ? "." : path_.substr(0, slash + 1)));
  files_ = TRY(open_log_files(path_));
  if (options_.tail >= 0) return seek_tail();
  skip_old_files();
  begin_file(0);
  return {};
}

Result<void> JsonFileReader::seek_tail() {
  int64_t missing = options_.tail, offset = 0;
  size_t first = files_.size();
  while (first > 0) {
    --first;
    auto found = TRY(find_tail(files_[first].fd.get(), files_[first].size, missing));
    missing -= found.lines;
    offset = found.offset;
    if (missing <= 0) break;
  }
  files_.erase(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(first));
  begin_file(offset);
  return {};
}

/// A file that was last written before `since` has nothing for us.
void JsonFileReader::skip_old_files() {
  if (!options_.since) return;
  while (files_.size() > 1 && files_.front().modified_ns < options_.since->unix_nanos) files_.pop_front();
}

void JsonFileReader::begin_file(int64_t offset) {
  begin_ = end_ = searched_ = 0;
  skipping_ = false;
  rotated_ = false;
  offset_ = offset;
}

std::optional<std::string_view> JsonFileReader::take_record() {
  for (;;) {
    if (begin_ + searched_ >= end_) return std::nullopt;
    const char* from = buffer_.data() + begin_;
    const void* newline = std::memchr(from + searched_, '\n', end_ - begin_ - searched_);
    if (!newline) {
      searched_ = end_ - begin_;
      if (searched_ > kMaxRecord) {
        skipping_ = true;
        begin_ = end_ = searched_ = 0;
      }
      return std::nullopt;
    }
    auto length = static_cast<size_t>(static_cast<const char*>(newline) - from);
    begin_ += length + 1;
    searched_ = 0;
    if (!std::exchange(skipping_, false)) return std::string_view(from, length);
  }
}

Result<bool> JsonFileReader::fill() {
  if (files_.empty()) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < end_ + kChunk) buffer_.resize(end_ + kChunk);
  ssize_t got;
  do {
    got = ::pread(files_.front().fd.get(), buffer_.data() + end_, kChunk, offset_);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return sys::sys_error("pread", path_);
  end_ += static_cast<size_t>(got);
  offset_ += got;
  return got > 0;
}

Result<bool> JsonFileReader::advance() {
  if (files_.size() > 1) {
    // It is complete: files are renamed only after their last write, and it was not the newest when it was opened.
    if (!rotated_) {
      rotated_ = true;
      return true;
    }
    files_.pop_front();
    begin_file(0);
    return true;
  }
  struct stat info;
  if (!files_.empty() && ::fstat(files_.front().fd.get(), &info) == 0 && info.st_size < offset_) {
    begin_file(0);  // truncated in place by somebody
    return true;
  }
  auto newest = TRY(open_log_file(path_));
  if (!newest || (!files_.empty() && newest->same_file(files_.front()))) return false;
  // Everything that is newer than the present file, which itself may have been removed by now.
  auto all = TRY(open_log_files(path_));
  auto present =
      std::ranges::find_if(all, [&](const LogFile& file) { return !files_.empty() && file.same_file(files_.front()); });
  if (present != all.end()) all.erase(all.begin(), present + 1);
  bool first_file = files_.empty();
  for (auto& file : all) files_.push_back(std::move(file));
  if (first_file) begin_file(0);
  return !files_.empty();
}

bool JsonFileReader::wanted(const Line& line) {
  if (options_.until && line.time > *options_.until) {
    finished_ = true;
    return false;
  }
  if (options_.since && line.time < *options_.since) return false;
  return line.stream == Stream::Stderr ? options_.stderr_ : options_.stdout_;
}

Result<std::optional<Line>> JsonFileReader::next() {
  Line line;
  while (!finished_) {
    if (auto record = take_record()) {
      // Garbage between records (a torn write, a foreign line) is nobody's output.
      if (parse_json_line(*record, times_, line) && wanted(line)) return std::optional<Line>(std::move(line));
      continue;
    }
    if (TRY(fill())) continue;
    if (!TRY(advance())) break;
  }
  return std::optional<Line>();
}

}  // namespace

Result<std::unique_ptr<Reader>> open_reader(const std::string& path, const ReadOptions& options) {
  auto reader = std::make_unique<JsonFileReader>(path, options);
  TRY(reader->open());
  return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace sampan::logs
