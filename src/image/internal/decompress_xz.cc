// image/decompress_xz: by liblzma, for ADD and docker cp.

#include <lzma.h>

#include "image/internal/decompress.h"

namespace sampan::image {
namespace {

// `xz -9` needs 65 MiB to decompress.
constexpr uint64_t kMaxMemory = 192 << 20;

class XzDecoder final : public Decoder {
 public:
  XzDecoder() { ready_ = lzma_stream_decoder(&stream_, kMaxMemory, LZMA_CONCATENATED) == LZMA_OK; }
  ~XzDecoder() override { lzma_end(&stream_); }

  Result<Step> decode(std::string_view in, std::span<char> out) override {
    if (!ready_) return fail(Code::ResourceExhausted, "out of memory");
    stream_.next_in = reinterpret_cast<const uint8_t*>(in.data());
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<uint8_t*>(out.data());
    stream_.avail_out = out.size();
    // With several streams allowed the decoder must be told when the input is over, and says then whether it is whole.
    lzma_ret rc = lzma_code(&stream_, in.empty() ? LZMA_FINISH : LZMA_RUN);
    Step step{in.size() - stream_.avail_in, out.size() - stream_.avail_out};
    if (rc == LZMA_STREAM_END)
      finished_ = true;
    else if (rc == LZMA_BUF_ERROR && in.empty())
      return step;  // cut off: finished() stays false
    else if (rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR)
      return fail(Code::ResourceExhausted, "needs more than {} bytes of memory", kMaxMemory);
    else if (rc != LZMA_OK)
      return fail(Code::InvalidArgument, "invalid compressed data ({})", static_cast<int>(rc));
    return step;
  }
  bool finished() const override { return finished_; }
  const char* name() const override { return "xz"; }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ready_ = false, finished_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_xz_decoder() {
  return std::make_unique<XzDecoder>();
}

}  // namespace sampan::image
