#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <set>

#include "api/internal/filters.h"
#include "api/internal/handlers.h"
#include "api/internal/json_image.h"
#include "base/strings.h"
#include "codec/text.h"

namespace sampan::api {
namespace {

using image::ImageRecord;

constexpr std::string_view kFilters[] = {"dangling", "label", "label!", "before", "since", "reference", "until"};

/// Go's path.Match on the familiar form, with and without the tag.
bool match_reference(const std::string& pattern, const std::string& reference) {
  size_t mark = reference.find('@');
  if (mark == std::string::npos) {
    mark = reference.rfind(':');
    if (mark != std::string::npos && reference.find('/', mark) != std::string::npos) mark = std::string::npos;
  }
  std::string bare = reference.substr(0, mark);
  return ::fnmatch(pattern.c_str(), reference.c_str(), FNM_PATHNAME) == 0 ||
         ::fnmatch(pattern.c_str(), bare.c_str(), FNM_PATHNAME) == 0;
}

bool match_any(const std::vector<std::string>& patterns, const std::string& reference) {
  return std::ranges::any_of(patterns, [&](const auto& pattern) { return match_reference(pattern, reference); });
}

struct ListFilter {
  Filters filters;
  std::optional<bool> dangling;
  std::optional<int64_t> before, since, until;  // seconds since 1970
  bool all = false;
};

Result<std::optional<int64_t>> created_of(Call& call, const Filters& filters, const char* key) {
  const auto& values = filter_values(filters, key);
  if (values.empty()) return std::optional<int64_t>();
  auto image = TRY(call.engine().images().get(values.front()));
  return std::optional<int64_t>(unix_seconds(image.config.created));
}

Result<ListFilter> parse_list_filter(Call& call) {
  ListFilter out;
  out.filters = TRY(parse_filters(call, kFilters));
  // Before 1.41 the name to look for had its own parameter.
  if (std::string name = call.get("filter"); !name.empty() && call.version < Version{1, 41}) {
    out.filters["reference"].push_back(name);
  }
  out.dangling = TRY(find_bool_filter(out.filters, "dangling"));
  out.before = TRY(created_of(call, out.filters, "before"));
  out.since = TRY(created_of(call, out.filters, "since"));
  if (auto until = TRY(find_until(out.filters))) out.until = *until / 1'000'000'000;
  out.all = call.flag("all");
  return out;
}

/// Narrows the image's names to those that the reference filter asks for; false when the image is not wanted.
bool keep(const ListFilter& filter, const std::set<std::string>& parents, ImageRecord& image) {
  int64_t created = unix_seconds(image.config.created);
  if (filter.before && created >= *filter.before) return false;
  if (filter.since && created <= *filter.since) return false;
  if (filter.until && created >= *filter.until) return false;
  const auto& labels = image.config.config.labels;
  if (!match_labels(filter_values(filter.filters, "label"), labels)) return false;
  const auto& unwanted = filter_values(filter.filters, "label!");
  if (!unwanted.empty() && match_labels(unwanted, labels)) return false;
  bool untagged = image.repo_tags.empty() && (image.repo_digests.empty() || filter.dangling);
  bool child_only = image.repo_tags.empty() && parents.contains(image.id);
  if (filter.dangling && *filter.dangling != (untagged && !parents.contains(image.id))) return false;
  if (!filter.all && !filter.dangling && child_only) return false;
  const auto& references = filter_values(filter.filters, "reference");
  if (references.empty()) return true;
  std::erase_if(image.repo_tags, [&](const auto& name) { return !match_any(references, name); });
  std::erase_if(image.repo_digests, [&](const auto& name) { return !match_any(references, name); });
  return !image.repo_tags.empty() || !image.repo_digests.empty();
}

std::vector<int64_t> layer_sizes(Call& call, const ImageRecord& image) {
  std::vector<int64_t> out;
  for (auto key = image.top; key;) {
    auto info = call.engine().snapshots().info(*key);
    if (!info) break;  // a layer that went meanwhile is shown without a size
    out.push_back(static_cast<int64_t>(info->size));
    key = info->parent;
  }
  return out;
}

}  // namespace

Result<http::Response> list_images(Call& call) {
  auto filter = TRY(parse_list_filter(call));
  auto images = TRY(call.engine().images().list());
  std::set<std::string> parents;
  for (const auto& image : images) parents.insert(image.parent);
  std::ranges::sort(images, std::greater<>(),
                    [](const ImageRecord& image) { return std::pair(unix_seconds(image.config.created), image.id); });
  json::array out;
  for (auto& image : images) {
    if (!keep(filter, parents, image)) continue;
    ImageRow row;
    if (call.version >= Version{1, 51})
      row.containers = static_cast<int64_t>(call.engine().users_of_image(image.id).size());
    out.push_back(format_image_row(image, row, call.version));
  }
  return json_answer(200, out);
}

Result<http::Response> inspect_image(Call& call) {
  if (call.flag("manifests")) return fail(Code::NotImplemented, "image inspect with manifests=1 is not implemented");
  auto image = TRY(call.engine().images().get(call.name));
  ImageDirs dirs;
  if (image.top) {
    dirs.upper = call.engine().snapshots().diff_dir(*image.top);
    if (auto lower = call.engine().snapshots().parent_diffs(*image.top)) dirs.lower = std::move(*lower);
  }
  return json_answer(200, format_image_inspect(image, dirs, call.version));
}

Result<http::Response> image_history(Call& call) {
  auto image = TRY(call.engine().images().get(call.name));
  return json_answer(200, format_history(image, layer_sizes(call, image)));
}

Result<http::Response> inspect_distribution(Call& call) {
  auto reference = TRY(oci::parse_reference(call.name));
  auto credentials = registry::parse_registry_auth(call.request.header("X-Registry-Auth"));
  std::string wanted = reference.digest.empty() ? reference.tag : reference.digest;
  auto fetched = TRY(call.engine().registry().fetch_manifest(reference, wanted, credentials, Cancel()));
  json::array platforms;
  auto add_platform = [&platforms](const oci::Platform& platform) { platforms.push_back(codec::write_json(platform)); };
  if (fetched.media_type == oci::media::kOciIndex || fetched.media_type == oci::media::kDockerManifestList) {
    for (const auto& entry : TRY(oci::parse_index(fetched.body, fetched.media_type)).manifests) {
      if (entry.platform) add_platform(*entry.platform);
    }
  }
  json::object descriptor{{"mediaType", json::string(fetched.media_type)},
                          {"digest", json::string(fetched.digest.str())},
                          {"size", fetched.body.size()}};
  return json_answer(200, json::object{{"Descriptor", std::move(descriptor)}, {"Platforms", std::move(platforms)}});
}

}  // namespace sampan::api
