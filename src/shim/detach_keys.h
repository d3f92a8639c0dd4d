#pragma once
// shim/detach_keys: the key sequence that ends an attachment without ending the process.

#include <string>
#include <string_view>

#include "base/result.h"

namespace sampan::shim {

/// "ctrl-p,ctrl-q" to the bytes that a terminal sends. A key is one character, "ctrl-" with a-z @ [ \ ] ^ _, or "DEL".
/// Errors: InvalidArgument ("Unknown character: '...'").
Result<std::string> parse_detach_keys(std::string_view text);

/// Looks for the sequence in input that arrives in pieces. Keys that may be the beginning of it are held back until
/// the next one decides.
class DetachScanner {
 public:
  explicit DetachScanner(std::string keys) : keys_(std::move(keys)) {}
  /// Appends to `out` what belongs to the process; true when the sequence was completed (the rest is not input).
  bool scan(std::string_view input, std::string& out);
  bool active() const { return !keys_.empty(); }

 private:
  std::string keys_;
  size_t matched_ = 0;
};

}  // namespace sampan::shim
