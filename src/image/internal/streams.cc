#include "image/internal/streams.h"

#include <isa-l/igzip_lib.h>

namespace sampan::image {
namespace {

constexpr size_t kChunk = 256 << 10;

}  // namespace

Result<size_t> HashingSource::read(std::span<char> buffer) {
  TRY(cancel_.check());
  size_t n = TRY(inner_.read(buffer));
  hash_.update({buffer.data(), n});
  bytes_ += static_cast<int64_t>(n);
  if (n > 0 && on_bytes_) on_bytes_(bytes_);
  return n;
}

Result<void> HashingSink::write(std::string_view bytes) {
  hash_.update(bytes);
  bytes_ += static_cast<int64_t>(bytes.size());
  return next_ ? next_->write(bytes) : Result<void>();
}

Result<size_t> TeeSource::read(std::span<char> buffer) {
  size_t n = TRY(inner_.read(buffer));
  TRY(copy_.write({buffer.data(), n}));
  return n;
}

struct GzipSink::State {
  explicit State(ByteSink& sink) : next(sink), work(ISAL_DEF_LVL1_DEFAULT), out(kChunk) {}
  ByteSink& next;
  isal_zstream stream{};
  std::vector<uint8_t> work, out;
};

GzipSink::GzipSink(ByteSink& next) : state_(std::make_unique<State>(next)) {
  auto& stream = state_->stream;
  isal_deflate_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;  // its header carries no time and no name
  stream.level = 1;
  stream.level_buf = state_->work.data();
  stream.level_buf_size = static_cast<uint32_t>(state_->work.size());
  stream.flush = NO_FLUSH;
}
GzipSink::~GzipSink() = default;

Result<void> GzipSink::run() {
  auto& stream = state_->stream;
  do {
    stream.next_out = state_->out.data();
    stream.avail_out = static_cast<uint32_t>(state_->out.size());
    if (int rc = isal_deflate(&stream); rc != COMP_OK) return fail(Code::Internal, "gzip: error {}", rc);
    size_t made = state_->out.size() - stream.avail_out;
    TRY(state_->next.write({reinterpret_cast<const char*>(state_->out.data()), made}));
  } while (stream.avail_out == 0 || stream.avail_in > 0);
  return {};
}

Result<void> GzipSink::write(std::string_view bytes) {
  auto& stream = state_->stream;
  while (!bytes.empty()) {
    size_t n = std::min(bytes.size(), size_t{1} << 30);
    stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uint32_t>(n);
    TRY(run());
    bytes.remove_prefix(n);
  }
  return {};
}

Result<void> GzipSink::finish() {
  state_->stream.next_in = nullptr;
  state_->stream.avail_in = 0;
  state_->stream.end_of_stream = 1;
  while (state_->stream.internal_state.state != ZSTATE_END) TRY(run());
  return {};
}

Result<void> copy_stream(ByteSource& from, ByteSink& to, const Cancel& cancel) {
  std::vector<char> buffer(kChunk);
  while (size_t n = TRY(from.read(buffer))) {
    TRY(cancel.check());
    TRY(to.write({buffer.data(), n}));
  }
  return {};
}

Result<void> drain(ByteSource& from) {
  std::vector<char> buffer(kChunk);
  while (TRY(from.read(buffer)) > 0) {
  }
  return {};
}

}  // namespace sampan::image
