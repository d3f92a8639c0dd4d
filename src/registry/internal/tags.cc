#include "base/strings.h"
#include "codec/json.h"
#include "registry/internal/errors.h"
#include "registry/internal/operations.h"

namespace sampan::registry {
namespace {

constexpr int kMaxPages = 200;
constexpr size_t kMaxTags = 200000;
constexpr size_t kPageLimit = 8 << 20;

/// The target of `<...>; rel="next"`.
std::string next_link(const Response& response) {
  std::string link = response.header("link");
  auto open = link.find('<'), close = link.find('>');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  if (link.find("next", close) == std::string::npos) return {};
  return link.substr(open + 1, close - open - 1);
}

Result<void> read_page(const Response& response, std::vector<std::string>& tags) {
  auto value = TRY_CONTEXT(codec::parse_json(response.body), "tag list");
  const auto* list = value.is_object() ? value.get_object().if_contains("tags") : nullptr;
  if (!list || !list->is_array()) return {};  // null: a repository without tags
  for (const auto& item : list->get_array()) {
    if (item.is_string() && item.get_string().size() <= 128) tags.emplace_back(item.get_string());
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> list_tags(Session& session, const oci::Reference& reference) {
  std::vector<std::string> tags;
  const auto base = TRY(session.endpoint()).base;
  Call call{.path = reference.path + "/tags/list?n=1000", .scope = pull_scope(reference), .body_limit = kPageLimit};
  Url here = TRY(parse_url(base.str() + call.path));
  for (int page = 0; page < kMaxPages && tags.size() < kMaxTags; ++page) {
    auto response = TRY(session.send(call));
    if (!response.success()) return pull_error(response, reference.familiar_name(), reference.familiar_name());
    TRY(read_page(response, tags));
    std::string next = next_link(response);
    if (next.empty()) return tags;
    auto target = TRY(session.follow(here, next));
    if (!target.same_origin(base)) return fail(Code::InvalidArgument, "tag list continues on another host");
    call.url = here = target;
  }
  return fail(Code::ResourceExhausted, "repository {} has too many tags", reference.familiar_name());
}

}  // namespace sampan::registry
