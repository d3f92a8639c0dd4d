#include "cli/values/reference.h"

#include <string_view>

#include "base/strings.h"

namespace sampan::cli {

namespace {

constexpr std::string_view kNameChars = "abcdefghijklmnopqrstuvwxyz0123456789._-/";

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= 128 && tag[0] != '.' && tag[0] != '-' &&
         tag.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") ==
             std::string_view::npos;
}

bool is_host(std::string_view first) {
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost";
}

}  // namespace

std::string ImageName::full() const {
  if (!digest.empty()) return repository + "@" + digest;
  return tag.empty() ? repository : repository + ":" + tag;
}

std::string ImageName::familiar() const {
  std::string text = full();
  for (std::string_view prefix : {"docker.io/library/", "docker.io/"}) {
    if (text.starts_with(prefix)) return text.substr(prefix.size());
  }
  return text;
}

Result<ImageName> parse_image_name(const std::string& text) {
  auto bad = [] { return fail(Code::InvalidArgument, "invalid reference format"); };
  ImageName out;
  std::string rest = text;
  if (size_t at = rest.find('@'); at != std::string::npos) {
    out.digest = rest.substr(at + 1);
    rest.resize(at);
    auto pair = split_once(out.digest, ':');
    if (!pair || pair->second.size() < 32 ||
        pair->second.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
      return bad();
    }
  }
  size_t colon = rest.rfind(':');
  if (colon != std::string::npos && rest.find('/', colon) == std::string::npos) {
    out.tag = rest.substr(colon + 1);
    rest.resize(colon);
    if (!is_tag(out.tag)) return bad();
  }
  size_t slash = rest.find('/');
  std::string first = rest.substr(0, slash);
  bool named_host = slash != std::string::npos && is_host(first);
  std::string path = named_host ? rest.substr(slash + 1) : rest;
  if (path.empty() || path.starts_with('/') || path.ends_with('/') || path.find("//") != std::string::npos)
    return bad();
  if (path.find_first_not_of(kNameChars) != std::string::npos) {
    if (to_lower(path).find_first_not_of(kNameChars) == std::string::npos) {
      return fail(Code::InvalidArgument, "invalid reference format: repository name ({}) must be lowercase",
                  named_host                            ? path
                  : rest.find('/') == std::string::npos ? "library/" + rest
                                                        : rest);
    }
    return bad();
  }
  std::string host = named_host ? first : "docker.io";
  if (host == "index.docker.io") host = "docker.io";
  if (host == "docker.io" && path.find('/') == std::string::npos) path = "library/" + path;
  out.repository = host + "/" + path;
  return out;
}

}  // namespace sampan::cli
