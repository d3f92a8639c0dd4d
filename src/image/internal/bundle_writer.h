#pragma once
// The outer tar of `docker save`: few regular files with short names, dates and owners all zero.
// Source: POSIX.1-1988 ustar; GNU's base-256 sizes beyond 8 GiB.

#include <string>
#include <string_view>

#include "base/io.h"

namespace sampan::image {

class BundleWriter final : public ByteSink {
 public:
  explicit BundleWriter(ByteSink& out) : out_(out) {}
  Result<void> add_directory(const std::string& name);
  Result<void> add_file(const std::string& name, std::string_view content);
  /// Then exactly `size` bytes by write(), then end_file().
  Result<void> begin_file(const std::string& name, int64_t size);
  Result<void> write(std::string_view bytes) override;
  Result<void> end_file();
  Result<void> finish();

 private:
  Result<void> header(const std::string& name, int64_t size, char type);
  ByteSink& out_;
  int64_t left_ = 0, size_ = 0;
};

}  // namespace sampan::image
