#include "logs/internal/gzip.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <memory>
#include <vector>

#include "sys/error.h"
#include "sys/file.h"

namespace sampan::logs {

namespace {

constexpr size_t kBlock = 64 << 10;
constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for gzip's header
constexpr int64_t kMaxContent = int64_t{4} << 30;

template <int (*End)(z_streamp)>
struct EndStream {
  void operator()(z_stream* stream) const {
    (void)End(stream);
    delete stream;
  }
};

Bytef* bytes_of(std::vector<char>& block) {
  return reinterpret_cast<Bytef*>(block.data());
}

/// The next block of the file, from `offset` on. Returns its size; 0 at the end.
Result<size_t> feed(z_stream& stream, std::vector<char>& block, int file, off_t& offset) {
  ssize_t got = ::pread(file, block.data(), block.size(), offset);
  if (got < 0) return sys::sys_error("pread");
  offset += got;
  stream.next_in = bytes_of(block);
  stream.avail_in = static_cast<uInt>(got);
  return static_cast<size_t>(got);
}

Result<sys::Fd> make_unnamed(const std::string& directory) {
  auto file = sys::open_file(directory, O_TMPFILE | O_RDWR, 0600);
  if (file) return file;
  // FALLBACK(filesystem without O_TMPFILE, read-only or full).
  int memory = ::memfd_create("sampan-log", MFD_CLOEXEC);
  if (memory < 0) return sys::sys_error("memfd_create");
  return sys::Fd(memory);
}

}  // namespace

Result<void> compress_file(int from, int to) {
  std::unique_ptr<z_stream, EndStream<deflateEnd>> stream(new z_stream{});
  if (deflateInit2(stream.get(), Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return fail(Code::ResourceExhausted, "deflate: out of memory");
  std::vector<char> in(kBlock), out(kBlock);
  for (off_t offset = 0;;) {
    size_t got = TRY(feed(*stream, in, from, offset));
    do {
      stream->next_out = bytes_of(out);
      stream->avail_out = kBlock;
      (void)deflate(stream.get(), got == 0 ? Z_FINISH : Z_NO_FLUSH);
      TRY(sys::write_all(to, {out.data(), kBlock - stream->avail_out}));
    } while (stream->avail_out == 0);
    if (got == 0) return {};
  }
}

Result<sys::Fd> decompress_file(int from, const std::string& directory) {
  auto to = TRY(make_unnamed(directory));
  std::unique_ptr<z_stream, EndStream<inflateEnd>> stream(new z_stream{});
  if (inflateInit2(stream.get(), kGzipWindow) != Z_OK) return fail(Code::ResourceExhausted, "inflate: out of memory");
  std::vector<char> in(kBlock), out(kBlock);
  int64_t written = 0;
  for (off_t offset = 0;;) {
    if (TRY(feed(*stream, in, from, offset)) == 0) return fail(Code::DataLoss, "the compressed log is cut off");
    do {
      stream->next_out = bytes_of(out);
      stream->avail_out = kBlock;
      int state = inflate(stream.get(), Z_NO_FLUSH);
      if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
        return fail(Code::DataLoss, "the compressed log is damaged");
      size_t size = kBlock - stream->avail_out;
      written += static_cast<int64_t>(size);
      if (written > kMaxContent) return fail(Code::ResourceExhausted, "the compressed log is too large");
      TRY(sys::write_all(to.get(), {out.data(), size}));
      if (state == Z_STREAM_END) return to;
    } while (stream->avail_out == 0);
  }
}

}  // namespace sampan::logs
