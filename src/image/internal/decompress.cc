#include "image/internal/decompress.h"

#include <cstring>
#include <vector>

namespace sampan::image {
namespace {

constexpr size_t kInput = 128 << 10;
constexpr size_t kHead = 10;

bool is_bzip2(std::string_view head) {
  // "BZh" alone may begin a file's name, and so an uncompressed tar: look for the block's mark too.
  if (head.size() < 10 || !head.starts_with("BZh") || head[3] < '1' || head[3] > '9') return false;
  std::string_view mark = head.substr(4, 6);
  return mark == std::string_view("\x31\x41\x59\x26\x53\x59", 6) ||
         mark == std::string_view("\x17\x72\x45\x38\x50\x90", 6);
}

bool is_zstd(std::string_view head) {
  if (head.starts_with("\x28\xb5\x2f\xfd")) return true;
  return head.size() >= 4 && (head[0] & 0xf0) == 0x50 &&
         head.substr(1, 3) == "\x2a\x4d\x18";  // a skippable frame first
}

std::unique_ptr<Decoder> make_decoder(Compression kind) {
  switch (kind) {
    case Compression::Gzip:
      return make_gzip_decoder();
    case Compression::Zstd:
      return make_zstd_decoder();
    case Compression::Bzip2:
      return make_bzip2_decoder();
    case Compression::Xz:
      return make_xz_decoder();
    case Compression::None:
      break;
  }
  return nullptr;
}

class Decompressor final : public ByteSource {
 public:
  explicit Decompressor(ByteSource& compressed) : compressed_(compressed), input_(kInput) {}

  Result<size_t> read(std::span<char> out) override {
    if (!detected_) TRY(detect());
    if (out.empty()) return size_t{0};
    return decoder_ ? inflate(out) : pass(out);
  }

 private:
  Result<void> detect() {
    while (end_ < kHead && !at_end_) TRY(refill());
    decoder_ = make_decoder(detect_compression({input_.data(), end_}));
    detected_ = true;
    return {};
  }

  /// Appends to the input; only when there is room.
  Result<void> refill() {
    size_t n = TRY(compressed_.read(std::span(input_).subspan(end_)));
    end_ += n;
    at_end_ = n == 0;
    return {};
  }

  Result<size_t> pass(std::span<char> out) {
    if (begin_ == end_) return compressed_.read(out);
    size_t n = std::min(out.size(), end_ - begin_);
    std::memcpy(out.data(), input_.data() + begin_, n);
    begin_ += n;
    return n;
  }

  Result<size_t> inflate(std::span<char> out) {
    for (;;) {
      if (begin_ == end_ && !at_end_) {
        begin_ = end_ = 0;
        TRY(refill());
      }
      if (begin_ == end_ && decoder_->finished()) return size_t{0};
      auto step = TRY_CONTEXT(decoder_->decode({input_.data() + begin_, end_ - begin_}, out), decoder_->name());
      begin_ += step.consumed;
      if (step.produced > 0) return step.produced;
      if (begin_ == end_ && at_end_ && !decoder_->finished()) {
        return fail(Code::InvalidArgument, "{}: the stream is cut off (unexpected EOF)", decoder_->name());
      }
      if (step.consumed == 0 && begin_ != end_) {
        return fail(Code::InvalidArgument, "{}: the decoder makes no progress", decoder_->name());
      }
    }
  }

  ByteSource& compressed_;
  std::vector<char> input_;
  size_t begin_ = 0, end_ = 0;
  bool detected_ = false, at_end_ = false;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace

Compression detect_compression(std::string_view head) {
  if (head.starts_with("\x1f\x8b\x08")) return Compression::Gzip;
  if (is_zstd(head)) return Compression::Zstd;
  if (is_bzip2(head)) return Compression::Bzip2;
  if (head.starts_with(std::string_view("\xfd"
                                        "7zXZ\0",
                                        6)))
    return Compression::Xz;
  return Compression::None;
}

std::unique_ptr<ByteSource> make_decompressor(ByteSource& compressed) {
  return std::make_unique<Decompressor>(compressed);
}

}  // namespace sampan::image
