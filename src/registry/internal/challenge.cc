#include "registry/internal/challenge.h"

#include "base/strings.h"

namespace sampan::registry {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  bool done() const { return at_ >= text_.size(); }
  void skip(std::string_view set) {
    while (!done() && set.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  std::string token() {
    size_t start = at_;
    while (!done() && is_token(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string value() {
    if (!take('"')) return token68();
    std::string out;
    while (!done() && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_++];
    }
    (void)take('"');  // an unterminated string ends with the header
    return out;
  }
  void advance() { ++at_; }

 private:
  static bool is_token(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  }
  std::string token68() {
    size_t start = at_;
    while (!done() && text_[at_] != ',' && text_[at_] != ' ') ++at_;
    return std::string(text_.substr(start, at_ - start));
  }
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view header) {
  std::vector<Challenge> out;
  Scanner in(header);
  for (in.skip(" \t,"); !in.done(); in.skip(" \t,")) {
    std::string word = in.token();
    if (word.empty()) {
      in.advance();
      continue;
    }
    in.skip(" \t");
    if (in.take('=')) {  // a parameter of the last scheme
      in.skip(" \t");
      std::string value = in.value();
      if (!out.empty()) out.back().parameters.insert_or_assign(to_lower(word), std::move(value));
    } else {
      out.push_back({to_lower(word), {}});
    }
  }
  return out;
}

}  // namespace sampan::registry
