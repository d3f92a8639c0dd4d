#pragma once
// Byte streams that layers flow through: hashing, counting, compressing.

#include <functional>
#include <memory>
#include <string>

#include "base/cancel.h"
#include "base/io.h"
#include "codec/sha256.h"
#include "sys/fd.h"

namespace sampan::image {

/// Hashes and counts what is read through it, polls a cancel, and reports the count.
class HashingSource final : public ByteSource {
 public:
  HashingSource(ByteSource& inner, const Cancel& cancel, std::function<void(int64_t)> on_bytes = {})
      : inner_(inner), cancel_(cancel), on_bytes_(std::move(on_bytes)) {}
  Result<size_t> read(std::span<char> buffer) override;
  int64_t bytes() const { return bytes_; }
  /// "sha256:<hex>"; the hash is spent afterwards.
  std::string digest() { return "sha256:" + hash_.hex(); }

 private:
  ByteSource& inner_;
  const Cancel& cancel_;
  std::function<void(int64_t)> on_bytes_;
  codec::Sha256 hash_;
  int64_t bytes_ = 0;
};

/// Hashes and counts what is written, and passes it on when there is somewhere to.
class HashingSink final : public ByteSink {
 public:
  explicit HashingSink(ByteSink* next = nullptr) : next_(next) {}
  Result<void> write(std::string_view bytes) override;
  int64_t bytes() const { return bytes_; }
  std::string digest() { return "sha256:" + hash_.hex(); }

 private:
  ByteSink* next_;
  codec::Sha256 hash_;
  int64_t bytes_ = 0;
};

/// Reads from `inner` and copies everything that passes into `copy`.
class TeeSource final : public ByteSource {
 public:
  TeeSource(ByteSource& inner, ByteSink& copy) : inner_(inner), copy_(copy) {}
  Result<size_t> read(std::span<char> buffer) override;

 private:
  ByteSource& inner_;
  ByteSink& copy_;
};

/// gzip by ISA-L: the same bytes in give the same bytes out. finish() must be called once, at the end.
class GzipSink final : public ByteSink {
 public:
  explicit GzipSink(ByteSink& next);
  ~GzipSink() override;
  Result<void> write(std::string_view bytes) override;
  Result<void> finish();

 private:
  Result<void> run();
  struct State;
  std::unique_ptr<State> state_;
};

Result<void> copy_stream(ByteSource& from, ByteSink& to, const Cancel& cancel);
/// Reads to the end: bytes behind a tar's end belong to its digest too.
Result<void> drain(ByteSource& from);

}  // namespace sampan::image
