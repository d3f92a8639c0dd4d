// The reader: a cursor over the files of one log that follows rotation.

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "logs/internal/log_files.h"
#include "logs/internal/record_format.h"
#include "logs/internal/time_index.h"
#include "logs/logs.h"
#include "sys/dir_watch.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::logs {

namespace {

constexpr size_t kChunk = 64 << 10;

class FileReader final : public Reader {
 public:
  FileReader(std::string path, const ReadOptions& options, Format format)
      : path_(std::move(path)), options_(options), kind_(format), format_(make_format(format)) {}

  Result<void> open();
  Result<std::optional<Line>> next() override;
  Result<bool> next(Line& line) override;
  int poll_fd() const override;
  void acknowledge() override {
    if (watch_.valid()) sys::drain_watch(watch_.get());
  }

 private:
  Result<void> seek_tail();
  void skip_old_files();
  /// Begins with the file that is now the first.
  Result<void> begin_file(int64_t offset);
  /// The next record in the buffer; nullopt: read more.
  std::optional<std::string_view> take_record();
  /// Reads more of the present file; false at its end.
  Result<bool> fill();
  void drop_read_files(std::deque<LogFile>& all);
  /// Goes to the next file; false when there is none yet.
  Result<bool> advance();
  bool wanted(const Line& line);

  std::string path_;
  ReadOptions options_;
  Format kind_;
  std::unique_ptr<RecordFormat> format_;
  mutable sys::Fd watch_;      // made when it is asked for: taking one down costs the kernel 20 ms
  std::deque<LogFile> files_;  // the present one first, then those that follow it
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // what is unread in buffer_
  int64_t offset_ = 0;          // in the present file, of end_
  bool broken_ = false;         // nothing more can be read from the present file
  bool rotated_ = false;        // the present file is not the newest: one more look, then on to the next
  bool finished_ = false;       // past `until`
};

/// What is written from now on wakes the follower; what was written before, next() finds.
int FileReader::poll_fd() const {
  if (watch_.valid()) return watch_.get();
  size_t slash = path_.rfind('/');
  auto made = sys::watch_directory(slash == std::string::npos ? "." : path_.substr(0, slash + 1));
  if (made) watch_ = std::move(*made);
  return watch_.get();
}

Result<void> FileReader::open() {
  files_ = TRY(open_log_files(path_));
  if (options_.tail >= 0) return seek_tail();
  skip_old_files();
  if (files_.empty() || !options_.since) return begin_file(0);
  const LogFile& first = files_.front();
  return begin_file(first.compressed ? 0 : find_since(first.name, first.inode, first.size, options_.since->unix_nanos));
}

Result<void> FileReader::seek_tail() {
  int64_t missing = options_.tail, offset = 0;
  size_t first = files_.size();
  while (first > 0) {
    LogFile& file = files_[--first];
    if (file.compressed) TRY(decompress(file));
    auto found = TRY(format_->find_tail(file.fd.get(), file.size, missing));
    missing -= found.lines;
    offset = found.offset;
    if (missing <= 0) break;
  }
  files_.erase(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(first));
  return begin_file(offset);
}

/// A file that was last written before `since` has nothing for us.
void FileReader::skip_old_files() {
  if (!options_.since) return;
  while (files_.size() > 1 && files_.front().modified_ns < options_.since->unix_nanos) files_.pop_front();
}

Result<void> FileReader::begin_file(int64_t offset) {
  format_ = make_format(kind_);  // it may be in the middle of something
  begin_ = end_ = 0;
  broken_ = false;
  rotated_ = false;
  offset_ = offset;
  if (!files_.empty() && files_.front().compressed) TRY(decompress(files_.front()));
  return {};
}

std::optional<std::string_view> FileReader::take_record() {
  while (begin_ < end_ && !broken_) {
    auto piece = format_->take({buffer_.data() + begin_, end_ - begin_});
    begin_ += piece.consumed;
    broken_ = piece.broken;
    if (!piece.record.empty()) return piece.record;
    if (piece.consumed == 0) break;
  }
  return std::nullopt;
}

Result<bool> FileReader::fill() {
  if (files_.empty() || broken_) return false;
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

/// The present file, or one before it, may have been compressed meanwhile: another file, but of the same time.
void FileReader::drop_read_files(std::deque<LogFile>& all) {
  struct stat info;
  if (::fstat(files_.front().fd.get(), &info) != 0) return;
  int64_t present_ns = std::max(files_.front().modified_ns, info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec);
  while (!all.empty() && all.front().compressed && all.front().modified_ns <= present_ns) all.pop_front();
}

Result<bool> FileReader::advance() {
  if (files_.size() > 1) {
    // It is complete: files are renamed only after their last write, and it was not the newest when it was opened.
    if (!rotated_) {
      rotated_ = true;
      return true;
    }
    files_.pop_front();
    TRY(begin_file(0));
    return true;
  }
  struct stat info;
  if (!files_.empty() && ::fstat(files_.front().fd.get(), &info) == 0 && info.st_size < offset_) {
    TRY(begin_file(0));  // truncated in place by somebody
    return true;
  }
  auto newest = TRY(open_log_file(path_));
  if (!newest || (!files_.empty() && newest->same_file(files_.front()))) return false;
  // Everything that is newer than the present file, which itself may have been removed by now.
  auto all = TRY(open_log_files(path_));
  auto present =
      std::ranges::find_if(all, [&](const LogFile& file) { return !files_.empty() && file.same_file(files_.front()); });
  if (present != all.end()) all.erase(all.begin(), present + 1);
  if (!files_.empty()) drop_read_files(all);
  bool first_file = files_.empty();
  for (auto& file : all) files_.push_back(std::move(file));
  if (first_file) TRY(begin_file(0));
  return !files_.empty();
}

bool FileReader::wanted(const Line& line) {
  if (options_.until && line.time > *options_.until) {
    finished_ = true;
    return false;
  }
  if (options_.since && line.time < *options_.since) return false;
  return line.stream == Stream::Stderr ? options_.stderr_ : options_.stdout_;
}

Result<bool> FileReader::next(Line& line) {
  while (!finished_) {
    if (auto record = take_record()) {
      // Garbage between records (a torn write, a foreign line) is nobody's output.
      if (format_->parse(*record, line) && wanted(line)) return true;
      continue;
    }
    if (TRY(fill())) continue;
    if (!TRY(advance())) break;
  }
  return false;
}

Result<std::optional<Line>> FileReader::next() {
  Line line;
  if (!TRY(next(line))) return std::optional<Line>();
  return std::optional<Line>(std::move(line));
}

}  // namespace

Result<std::unique_ptr<Reader>> open_reader(const std::string& path, const ReadOptions& options, Format format) {
  auto reader = std::make_unique<FileReader>(path, options, format);
  TRY(reader->open());
  return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace sampan::logs
