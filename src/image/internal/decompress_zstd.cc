// image/decompress_zstd: RFC 8878 by libzstd.

#include <zstd.h>
#include <zstd_errors.h>

#include "image/internal/decompress.h"

namespace sampan::image {
namespace {

// 128 MiB: what `zstd -d` accepts by itself. A frame may ask for up to 2 GiB, and would get it from the daemon.
constexpr int kMaxWindowLog = 27;

class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) {
    if (context_) ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMaxWindowLog);
  }
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  Result<Step> decode(std::string_view in, std::span<char> out) override {
    if (!context_) return fail(Code::ResourceExhausted, "out of memory");
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    size_t left = ZSTD_decompressStream(context_, &output, &input);
    if (ZSTD_isError(left)) {
      auto code = ZSTD_getErrorCode(left);
      bool memory = code == ZSTD_error_frameParameter_windowTooLarge || code == ZSTD_error_memory_allocation;
      return fail(memory ? Code::ResourceExhausted : Code::InvalidArgument, "{}", ZSTD_getErrorName(left));
    }
    between_frames_ = left == 0;
    return Step{input.pos, output.pos};
  }
  bool finished() const override { return between_frames_; }
  const char* name() const override { return "zstd"; }

 private:
  ZSTD_DCtx* context_;
  bool between_frames_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_zstd_decoder() {
  return std::make_unique<ZstdDecoder>();
}

}  // namespace sampan::image
