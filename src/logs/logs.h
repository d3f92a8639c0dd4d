#pragma once
// logs: a container's output on disk. The shim writes, the daemon reads.
//
// Formats on disk, both Docker's own:
//
//   json-file  {"log":"line\n","stream":"stdout","time":"2026-01-02T03:04:05.000000006Z"}, one record a line
//   local      a length of four bytes (big endian), a protobuf LogEntry, the same length again
//
// Lines longer than 16 KiB are split as Docker splits them: every part but the last has no "\n" (json-file), or carries
// an id and a number of its own (local).
//
// Drivers that send away (syslog, gelf, fluentd, journald) have a process each, `sampan-logger` (logger/logger.h), and
// a copy in the `local` format, which is what is read back.
//
// Rotation: when the file passes max_size, path.1 .. path.(max_file-1) shift and a new file begins; with `compress`
// the older ones become path.N.gz, made by a short-lived child. Beside a
// file of more than a megabyte stands path.idx: which place has nothing younger before it; it is what makes `since`
// cost its answer and not the file. Whatever the index cannot promise (it belongs to another file, it is torn) is read.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/result.h"
#include "codec/text.h"

namespace sampan::logs {

enum class Stream : uint8_t { Stdin = 0, Stdout = 1, Stderr = 2 };

/// A driver that sends away: a process of its own does it, so that no server can hold the shim up.
struct Forwarding {
  std::string program;  // path of sampan-logger
  std::map<std::string, std::string> settings;
  bool blocking = true;            // a server that takes nothing holds the container back; otherwise lines are dropped
  int64_t buffer_bytes = 1 << 20;  // that wait for the server
};

struct WriterOptions {
  std::string driver = "json-file";  // "json-file" "local" "none", or the name of one that sends away
  std::string path;                  // with `forwarding`: of the copy that can be read back, "" for none
  int64_t max_size = 20 << 20;       // bytes; -1: never rotate
  int64_t max_file = 3;
  bool compress = false;                          // rotated files
  std::map<std::string, std::string> attributes;  // "attrs" of every line
  std::optional<Forwarding> forwarding;           // of a driver that sends away
};

/// One container's writer. Threads: one. Never blocks on anything but the file; flush() waits up to 2 s for a server.
class Writer {
 public:
  virtual ~Writer() = default;
  /// Raw output of one stream; lines are assembled here, a partial line is kept until it ends or grows past 16 KiB.
  virtual Result<void> write(Stream stream, std::string_view bytes, codec::Time now) = 0;
  /// Writes what is left of partial lines.
  virtual Result<void> flush(codec::Time now) = 0;
  /// Gives the memory of the buffers back; call it when the container has gone quiet.
  virtual void trim() = 0;
  /// A descriptor that becomes writable when push_backlog() can go on; -1: nothing waits. It may be another one after
  /// any call.
  virtual int backlog_fd() const { return -1; }
  /// Whether the container is to wait until the backlog is gone.
  virtual bool stalled() const { return false; }
  virtual void push_backlog() {}
};
/// Blocks:  a driver that sends away makes its first connection now, up to 10 s.
/// Errors:  of a driver that sends away: "failed to initialize logging driver: dial tcp ...", as Docker has it.
Result<std::unique_ptr<Writer>> open_writer(const WriterOptions& options);

struct ReadOptions {
  bool stdout_ = true, stderr_ = true;
  std::optional<codec::Time> since, until;  // inclusive
  int64_t tail = -1;                        // lines from the end, -1 all
};
struct Line {
  Stream stream = Stream::Stdout;
  codec::Time time;
  std::string text;  // with its "\n" when it has one
  std::map<std::string, std::string> attributes;
};

/// A cursor over a log and its rotated predecessors, oldest first. Threads: one.
class Reader {
 public:
  virtual ~Reader() = default;
  /// The next line, nullopt at the present end (call again later to follow; rotation is handled).
  virtual Result<std::optional<Line>> next() = 0;
  /// The same into a line whose memory is used again; false at the present end.
  virtual Result<bool> next(Line& line) = 0;
  /// A descriptor that becomes readable when the log may have grown or rotated (inotify), for the follower's event
  /// loop.
  virtual int poll_fd() const = 0;
  /// Drains poll_fd().
  virtual void acknowledge() = 0;
};

enum class Format { JsonFile, Local };
/// The format in which the driver (or its cache) writes.
Format format_of_driver(std::string_view driver);

/// A missing file is an empty log.
Result<std::unique_ptr<Reader>> open_reader(const std::string& path, const ReadOptions& options,
                                            Format format = Format::JsonFile);

}  // namespace sampan::logs
