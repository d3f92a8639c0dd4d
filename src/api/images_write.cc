#include "api/internal/filters.h"
#include "api/internal/handlers.h"
#include "api/internal/json_image.h"
#include "api/internal/prune.h"

namespace sampan::api {
namespace {

constexpr std::string_view kPruneFilters[] = {"dangling", "label", "label!", "until"};

}  // namespace

Result<http::Response> tag_image(Call& call) {
  std::string repo = call.get("repo"), tag = call.get("tag");
  auto target = TRY(oci::parse_reference(tag.empty() ? repo : repo + ":" + tag));
  if (!target.digest.empty()) return fail(Code::InvalidArgument, "refusing to create a tag with a digest reference");
  TRY(call.engine().tag_image(call.name, target));
  return empty_answer(201);
}

Result<http::Response> remove_image(Call& call) {
  if (!call.request.all("platforms").empty()) {
    return fail(Code::NotImplemented, "deleting single platforms of an image (platforms=) is not implemented");
  }
  auto removed = TRY(call.engine().remove_image(call.name, call.flag("force") ? image::Force::Yes : image::Force::No,
                                                call.flag("noprune")));
  return json_answer(200, format_removed(removed));
}

Result<http::Response> prune_images(Call& call) {
  auto filters = TRY(parse_filters(call, kPruneFilters));
  auto guard = TRY(PruneGuard::acquire(call.services, PruneKind::Images));
  auto pruned = TRY(call.engine().prune_images(filters));
  json::array removed = format_removed(pruned.images);
  return json_answer(
      200, json::object{{"ImagesDeleted", removed.empty() ? json::value(nullptr) : json::value(std::move(removed))},
                        {"SpaceReclaimed", pruned.space_reclaimed}});
}

Result<http::Response> search_images(Call&) {
  return fail(Code::NotImplemented,
              "GET /images/search is not implemented: only Docker Hub's own index offers a search");
}

}  // namespace sampan::api
