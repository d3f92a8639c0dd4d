#include "shim/detach_keys.h"

#include "base/strings.h"

namespace sampan::shim {

Result<std::string> parse_detach_keys(std::string_view text) {
  std::string out;
  if (text.empty()) return out;
  for (const std::string& key : split(text, ',')) {
    if (key.size() == 1) {
      out += key[0];
    } else if (key == "DEL") {
      out += '\x7f';
    } else if (key.size() == 6 && to_lower(key).starts_with("ctrl-")) {
      char c = to_lower(key)[5];
      if (c >= 'a' && c <= 'z')
        out += static_cast<char>(c - 'a' + 1);
      else if (c == '@')
        out += '\0';
      else if (std::string_view("[\\]^_").find(c) != std::string_view::npos)
        out += static_cast<char>(c - '@');
      else
        return fail(Code::InvalidArgument, "Unknown character: '{}'", key);
    } else {
      return fail(Code::InvalidArgument, "Unknown character: '{}'", key);
    }
  }
  return out;
}

bool DetachScanner::scan(std::string_view input, std::string& out) {
  if (keys_.empty()) {
    out += input;
    return false;
  }
  for (char c : input) {
    if (c == keys_[matched_]) {
      if (++matched_ == keys_.size()) {
        matched_ = 0;
        return true;
      }
      continue;
    }
    // Not the sequence after all: let go of what cannot begin it any more, keep the longest end that still can.
    std::string held = keys_.substr(0, matched_) + c;
    size_t keep = std::min(held.size(), keys_.size() - 1);
    while (keep > 0 && std::string_view(held).substr(held.size() - keep) != std::string_view(keys_).substr(0, keep))
      --keep;
    out.append(held, 0, held.size() - keep);
    matched_ = keep;
  }
  return false;
}

}  // namespace sampan::shim
