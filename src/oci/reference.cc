#include "oci/reference.h"

#include "base/strings.h"
#include "oci/image.h"

namespace sampan::oci {
namespace {

constexpr std::string_view kDefaultDomain = "docker.io";

bool is_lower_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_alnum(char c) {
  return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/// alphanumerics, joined by one '.', one or two '_', or any number of '-'.
bool is_path_component(std::string_view text) {
  size_t i = 0;
  auto run = [&] {
    size_t start = i;
    while (i < text.size() && is_lower_alnum(text[i])) ++i;
    return i > start;
  };
  if (!run()) return false;
  while (i < text.size()) {
    if (text[i] == '.')
      ++i;
    else if (text.substr(i, 2) == "__")
      i += 2;
    else if (text[i] == '_')
      ++i;
    else if (text[i] == '-')
      while (i < text.size() && text[i] == '-') ++i;
    else
      return false;
    if (!run()) return false;
  }
  return true;
}

bool is_domain(std::string_view text) {
  auto colon = text.rfind(':');
  if (!text.empty() && text[0] == '[') {
    auto close = text.find(']');
    if (close == std::string_view::npos) return false;
    colon = text.find(':', close);
  }
  if (colon != std::string_view::npos) {
    auto port = parse_uint(text.substr(colon + 1));
    if (!port || *port > 65535) return false;
    text = text.substr(0, colon);
  }
  if (!text.empty() && text[0] == '[') {
    return text.substr(1, text.size() - 2).find_first_not_of("0123456789abcdefABCDEF:") == std::string_view::npos;
  }
  for (const auto& label : split(text, '.')) {
    if (label.empty() || !is_alnum(label.front()) || !is_alnum(label.back())) return false;
    for (char c : label) {
      if (!is_alnum(c) && c != '-') return false;
    }
  }
  return true;
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > 128 || !(is_alnum(text[0]) || text[0] == '_')) return false;
  for (char c : text) {
    if (!is_alnum(c) && c != '_' && c != '.' && c != '-') return false;
  }
  return true;
}

}  // namespace

std::string Reference::familiar_name() const {
  if (domain != kDefaultDomain) return name();
  return path.starts_with("library/") ? path.substr(8) : path;
}

std::string Reference::familiar() const {
  std::string out = familiar_name();
  if (!tag.empty()) out += ":" + tag;
  if (!digest.empty() && tag.empty()) out += "@" + digest;
  return out;
}

Result<Reference> parse_reference(std::string_view text, DefaultTag default_tag) {
  auto bad = [] { return fail(Code::InvalidArgument, "invalid reference format"); };
  Reference out;
  if (auto at = text.find('@'); at != std::string_view::npos) {
    auto digest = Digest::parse(text.substr(at + 1));
    if (!digest) return bad();
    out.digest = digest->str();
    text = text.substr(0, at);
  }
  auto slash = text.rfind('/');
  if (auto colon = text.rfind(':');
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    out.tag = text.substr(colon + 1);
    if (!is_tag(out.tag)) return bad();
    text = text.substr(0, colon);
  }
  if (text.empty() || text.size() > 255) return bad();
  if (text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos) {
    return fail(Code::InvalidArgument, "invalid repository name ({}), cannot specify 64-byte hexadecimal strings",
                text);
  }
  out.domain = kDefaultDomain;
  if (auto parts = split_once(text, '/')) {
    std::string_view first = parts->first;
    if (first.find_first_of(".:") != std::string_view::npos || first == "localhost" || to_lower(first) != first) {
      if (!is_domain(first)) return bad();
      out.domain = first == "index.docker.io" ? kDefaultDomain : first;
      text = parts->second;
    }
  }
  for (const auto& component : split(text, '/')) {
    if (is_path_component(component)) continue;
    if (is_path_component(to_lower(component))) {
      return fail(Code::InvalidArgument, "invalid reference format: repository name ({}) must be lowercase", text);
    }
    return bad();
  }
  out.path = out.domain == kDefaultDomain && text.find('/') == std::string_view::npos ? "library/" + std::string(text)
                                                                                      : std::string(text);
  if (out.tag.empty() && out.digest.empty() && default_tag == DefaultTag::Yes) out.tag = "latest";
  return out;
}

}  // namespace sampan::oci
