// image/decompress_bzip2: by libbz2, for ADD and docker cp.

#include <bzlib.h>

#include <limits>

#include "image/internal/decompress.h"

namespace sampan::image {
namespace {

class Bzip2Decoder final : public Decoder {
 public:
  ~Bzip2Decoder() override { stop(); }

  Result<Step> decode(std::string_view in, std::span<char> out) override {
    if (!running_) {
      if (in.empty()) return Step{};
      stream_ = bz_stream{};
      if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) return fail(Code::ResourceExhausted, "out of memory");
      running_ = true;
    }
    auto limit = [](size_t size) {
      return static_cast<unsigned>(std::min<size_t>(size, std::numeric_limits<int>::max()));
    };
    stream_.next_in = const_cast<char*>(in.data());  // read only
    stream_.avail_in = limit(in.size());
    stream_.next_out = out.data();
    stream_.avail_out = limit(out.size());
    unsigned given = stream_.avail_in, room = stream_.avail_out;
    int rc = BZ2_bzDecompress(&stream_);
    Step step{given - stream_.avail_in, room - stream_.avail_out};
    if (rc == BZ_STREAM_END)
      stop();
    else if (rc == BZ_MEM_ERROR)
      return fail(Code::ResourceExhausted, "out of memory");
    else if (rc != BZ_OK)
      return fail(Code::InvalidArgument, "invalid compressed data ({})", rc);
    return step;
  }
  bool finished() const override { return !running_; }
  const char* name() const override { return "bzip2"; }

 private:
  void stop() {
    if (running_) BZ2_bzDecompressEnd(&stream_);
    running_ = false;
  }

  bz_stream stream_{};
  bool running_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_bzip2_decoder() {
  return std::make_unique<Bzip2Decoder>();
}

}  // namespace sampan::image
