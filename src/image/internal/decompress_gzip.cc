// image/decompress_gzip: RFC 1952 by ISA-L, header, checksum and length verified by it.

#include <isa-l/igzip_lib.h>

#include <limits>

#include "image/internal/decompress.h"

namespace sampan::image {
namespace {

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder() : state_(std::make_unique<inflate_state>()) { start(); }

  Result<Step> decode(std::string_view in, std::span<char> out) override {
    if (state_->block_state == ISAL_BLOCK_FINISH) {
      size_t zeros = std::min(in.find_first_not_of('\0'), in.size());
      if (zeros > 0) return Step{zeros, 0};  // filled up to a block of some tape or disk
      if (in.empty()) return Step{};
      start();
    }
    auto limit = [](size_t size) {
      return static_cast<uint32_t>(std::min<size_t>(size, std::numeric_limits<int32_t>::max()));
    };
    // ISA-L reads only, its interface just does not say so.
    state_->next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(in.data()));
    state_->avail_in = limit(in.size());
    state_->next_out = reinterpret_cast<uint8_t*>(out.data());
    state_->avail_out = limit(out.size());
    uint32_t given = state_->avail_in, room = state_->avail_out;
    int rc = isal_inflate(state_.get());
    if (rc < 0 || rc == ISAL_NEED_DICT) return error(rc);
    return Step{given - state_->avail_in, room - state_->avail_out};
  }
  bool finished() const override { return state_->block_state == ISAL_BLOCK_FINISH; }
  const char* name() const override { return "gzip"; }

 private:
  void start() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
  }
  static Error error(int rc) {
    switch (rc) {
      case ISAL_INCORRECT_CHECKSUM:
        return fail(Code::InvalidArgument, "checksum or length does not match");
      case ISAL_INVALID_WRAPPER:
        return fail(Code::InvalidArgument, "invalid header");
      default:
        return fail(Code::InvalidArgument, "invalid compressed data ({})", rc);
    }
  }

  std::unique_ptr<inflate_state> state_;
};

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder() {
  return std::make_unique<GzipDecoder>();
}

}  // namespace sampan::image
