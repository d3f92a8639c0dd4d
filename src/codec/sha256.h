#pragma once
// codec/sha256: SHA-256 by OpenSSL's EVP (which uses the processor's SHA instructions).

#include <memory>
#include <string>
#include <string_view>

namespace sampan::codec {

/// Incremental SHA-256.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  /// 64 hexadecimal digits; the object is spent afterwards.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};
std::string sha256_hex(std::string_view bytes);

}  // namespace sampan::codec
