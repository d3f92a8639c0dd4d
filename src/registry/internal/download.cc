#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "base/strings.h"
#include "codec/sha256.h"
#include "registry/internal/errors.h"
#include "registry/internal/operations.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::registry {
namespace {

/// A partial file and the digest of what is in it.
class Partial {
 public:
  static Result<Partial> open(const std::string& path, int64_t limit, const Cancel& cancel) {
    Partial out(TRY(sys::open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600)));
    struct stat info;
    if (::fstat(out.fd_.get(), &info) < 0) return sys::sys_error("stat", path);
    if (info.st_size > limit) TRY(out.restart());
    std::vector<char> buffer(256 << 10);
    while (size_t n = TRY(sys::read_some(out.fd_.get(), buffer))) {
      TRY(cancel.check());
      out.hash_.update({buffer.data(), n});
      out.size_ += static_cast<int64_t>(n);
    }
    return out;
  }
  Result<void> restart() {
    if (::ftruncate(fd_.get(), 0) < 0 || ::lseek(fd_.get(), 0, SEEK_SET) < 0)
      return sys::sys_error("truncate", "partial blob");
    hash_ = codec::Sha256();
    size_ = 0;
    return {};
  }
  Result<void> append(std::string_view bytes) {
    TRY_CONTEXT(sys::write_all(fd_.get(), bytes), "partial blob");
    hash_.update(bytes);
    size_ += static_cast<int64_t>(bytes.size());
    return {};
  }
  int64_t size() const { return size_; }
  std::string digest() { return "sha256:" + hash_.hex(); }

 private:
  explicit Partial(sys::Fd fd) : fd_(std::move(fd)) {}
  sys::Fd fd_;
  codec::Sha256 hash_;
  int64_t size_ = 0;
};

class Download {
 public:
  Download(Session& session, const oci::Reference& reference, const oci::Descriptor& blob, const Progress& progress)
      : session_(session), reference_(reference), blob_(blob), progress_(progress) {}

  /// One request; success means that all bytes are there, not yet that they are the right ones.
  Result<void> attempt(Partial& file) {
    Call call{.path = reference_.path + "/blobs/" + blob_.digest, .scope = pull_scope(reference_)};
    if (file.size() > 0) call.headers.push_back(fmt::format("Range: bytes={}-", file.size()));
    bool first = true;
    call.on_body = [&](const Response& response, std::string_view bytes) -> Result<void> {
      if (std::exchange(first, false)) TRY(place(response, file));
      if (file.size() + static_cast<int64_t>(bytes.size()) > blob_.size) {
        return fail(Code::DataLoss, "blob {} is longer than the {} bytes it should have", blob_.digest, blob_.size);
      }
      TRY(file.append(bytes));
      if (progress_) progress_(file.size(), blob_.size);
      return {};
    };
    auto response = TRY(session_.send(call));
    if (response.status == 416) {
      TRY(file.restart());
      return fail(Code::Unavailable, "the registry cannot continue blob {}", blob_.digest);
    }
    if (!response.success())
      return pull_error(response, reference_.familiar_name() + "@" + blob_.digest, reference_.familiar_name());
    if (file.size() < blob_.size) return fail(Code::Unavailable, "unexpected EOF");
    return {};
  }

 private:
  /// Where the first bytes of an answer belong: behind what we have, or at the start when the range was ignored.
  Result<void> place(const Response& response, Partial& file) {
    if (response.status == 206) {
      std::string range = response.header("content-range");
      if (range.starts_with(fmt::format("bytes {}-", file.size()))) return {};
      TRY(file.restart());
      return fail(Code::Unavailable, "blob {}: the registry answered another range", blob_.digest);
    }
    return file.size() > 0 ? file.restart() : Result<void>();
  }
  Session& session_;
  const oci::Reference& reference_;
  const oci::Descriptor& blob_;
  const Progress& progress_;
};

Result<void> back_off(int attempt, const Cancel& cancel) {
  auto ends = std::chrono::steady_clock::now() + std::chrono::milliseconds(250 << attempt);
  while (std::chrono::steady_clock::now() < ends) {
    TRY(cancel.check());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return {};
}

bool is_worth_retrying(const Error& error) {
  return error.code() == Code::Unavailable || error.code() == Code::DeadlineExceeded;
}

}  // namespace

Result<void> download_blob(Session& session, const oci::Reference& reference, const oci::Descriptor& blob,
                           const std::string& path, const Progress& progress, const Cancel& cancel) {
  auto digest = TRY(oci::Digest::parse(blob.digest));
  if (digest.algorithm() != "sha256")
    return fail(Code::NotImplemented, "unsupported digest algorithm: {}", blob.digest);
  auto file = TRY(Partial::open(path, blob.size, cancel));
  Download download(session, reference, blob, progress);
  bool resumed = file.size() > 0;
  int attempt = 0;
  for (;;) {
    Result<void> got;
    int64_t before = file.size();
    if (file.size() < blob.size || blob.size == 0) got = download.attempt(file);
    if (got) {
      if (file.digest() == blob.digest) return {};
      TRY(file.restart());
      if (!std::exchange(resumed, false)) {
        return fail(Code::DataLoss, "filesystem layer verification failed for digest {}", blob.digest);
      }
      continue;  // the old part was damaged: once more from the start
    }
    if (!is_worth_retrying(got.error())) return got;
    if (file.size() > before) attempt = 0;  // progress was made: the budget is for standing still
    if (++attempt >= session.max_attempts()) return got;
    resumed = resumed || file.size() > 0;
    TRY(back_off(attempt - 1, cancel));
  }
}

}  // namespace sampan::registry
