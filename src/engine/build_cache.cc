#include "engine/build_cache.h"

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "build/cache_records.h"
#include "engine/internal/filters.h"
#include "engine/internal/host.h"
#include "sys/disk.h"

namespace sampan::engine {

namespace {

using Images = std::map<std::string, image::ImageRecord>;
constexpr const char* kType = "regular";  // of a step; there are no others here

/// The images and everything that they stand on.
std::set<std::string> with_ancestors(const Images& images, const std::vector<std::string>& ids) {
  std::set<std::string> out;
  for (std::string id : ids) {
    for (auto image = images.find(id); image != images.end() && out.insert(id).second; image = images.find(id))
      id = image->second.parent;
  }
  return out;
}

int64_t own_size(Engine& engine, const Images& images, const image::ImageRecord& image) {
  auto parent = images.find(image.parent);
  bool adds = image.top && (parent == images.end() || parent->second.top != image.top);
  if (!adds) return 0;
  auto snapshot = engine.snapshots().info(*image.top);
  return snapshot ? static_cast<int64_t>(snapshot->size) : 0;
}

Result<Images> all_images(Engine& engine) {
  Images out;
  for (auto& image : TRY(engine.images().list())) out.emplace(image.id, std::move(image));
  return out;
}

/// Every word of a filter must hold, as BuildKit has it.
class CacheFilter {
 public:
  static Result<CacheFilter> compile(const Filters& filters) {
    CacheFilter out;
    for (const auto& [key, values] : filters) {
      static const std::set<std::string> kKeys = {"id",     "parent",  "type",  "description", "inuse",
                                                  "shared", "private", "until", "unused-for"};
      if (!kKeys.contains(key)) return fail(Code::InvalidArgument, "invalid filter '{}'", key);
      for (const auto& value : values) TRY(out.add(key, value));
    }
    return out;
  }

  bool matches(const BuildCacheEntry& entry) const {
    if (unused_since_ && entry.used.unix_nanos > unused_since_->unix_nanos) return false;
    return std::ranges::all_of(words_, [&](const auto& word) { return holds(entry, word.first, word.second); });
  }

 private:
  Result<void> add(const std::string& key, const std::string& value) {
    if (key != "until" && key != "unused-for") {
      words_.emplace_back(key, value);
      return {};
    }
    auto age = codec::parse_go_duration(value);
    unused_since_ = age ? codec::Time{now().unix_nanos - *age} : TRY(codec::parse_timestamp(value));
    return {};
  }

  static bool holds(const BuildCacheEntry& entry, const std::string& key, const std::string& value) {
    const bool wanted = value != "false" && value != "0";
    if (key == "id") return !value.empty() && entry.id.starts_with(value);
    if (key == "parent") return !value.empty() && entry.parent.starts_with(value);
    if (key == "type") return value == kType;
    if (key == "description") return entry.description.find(value) != std::string::npos;
    if (key == "inuse") return entry.in_use == wanted;
    return entry.shared == (key == "shared" ? wanted : !wanted);
  }

  std::vector<std::pair<std::string, std::string>> words_;
  std::optional<codec::Time> unused_since_;
};

/// How many bytes are to go, of `total`; nullopt: whatever the filters let go.
std::optional<int64_t> bytes_to_free(Engine& engine, const BuildCachePrune& request, int64_t total) {
  if (request.reserved_space <= 0 && request.max_used_space <= 0 && request.min_free_space <= 0) return std::nullopt;
  const bool limits = request.max_used_space > 0 || request.min_free_space > 0;
  int64_t wanted = limits ? 0 : total - request.reserved_space;
  if (request.max_used_space > 0) wanted = std::max(wanted, total - request.max_used_space);
  if (request.min_free_space > 0) {
    auto free = sys::free_bytes(engine.options().data_root);
    if (free) wanted = std::max(wanted, request.min_free_space - static_cast<int64_t>(*free));
  }
  return std::clamp<int64_t>(wanted, 0, std::max<int64_t>(total - request.reserved_space, 0));
}

/// Children before their parents: what still has one stays for the next turn.
int64_t remove_images(Engine& engine, std::vector<std::pair<std::string, int64_t>> waiting) {
  int64_t freed = 0;
  for (bool progress = true; progress && !waiting.empty();) {
    auto before = waiting.size();
    std::erase_if(waiting, [&](const auto& item) {
      if (!engine.remove_image(item.first, image::Force::No, true)) return false;
      freed += item.second;
      return true;
    });
    progress = waiting.size() < before;
  }
  return freed;
}

}  // namespace

Result<std::vector<BuildCacheEntry>> list_build_cache(Engine& engine) {
  auto records = TRY(build::list_cache(engine.store()));
  if (records.empty()) return std::vector<BuildCacheEntry>();
  Images images = TRY(all_images(engine));
  std::vector<std::string> named, used;
  for (const auto& [id, image] : images) {
    if (!image.repo_tags.empty() || !image.repo_digests.empty()) named.push_back(id);
    if (!engine.users_of_image(id).empty()) used.push_back(id);
  }
  auto in_use = with_ancestors(images, used), shared = with_ancestors(images, named);
  shared.insert(in_use.begin(), in_use.end());
  std::map<std::string, std::string> step_of;
  for (const auto& record : records) step_of.emplace(record.image_id, record.key);
  std::vector<BuildCacheEntry> out;
  for (auto& record : records) {
    auto image = images.find(record.image_id);
    if (image == images.end()) continue;
    auto parent = step_of.find(image->second.parent);
    out.push_back({record.key, parent == step_of.end() ? "" : parent->second, record.image_id,
                   std::move(record.description), in_use.contains(record.image_id), shared.contains(record.image_id),
                   own_size(engine, images, image->second), record.created, record.used, record.uses});
  }
  return out;
}

Result<PruneResult> prune_build_cache(Engine& engine, const BuildCachePrune& request) {
  auto filter = TRY(CacheFilter::compile(request.filters));
  auto entries = TRY(list_build_cache(engine));
  int64_t total = 0;
  for (const auto& entry : entries) total += entry.shared ? 0 : entry.size;
  auto limit = bytes_to_free(engine, request, total);
  PruneResult out;
  std::vector<std::pair<std::string, int64_t>> images;
  int64_t chosen = 0;
  for (const auto& entry : entries) {
    if (limit && chosen >= *limit) break;
    if (entry.in_use || (entry.shared && !request.all) || !filter.matches(entry)) continue;
    TRY(build::forget_cache(engine.store(), entry.id));
    out.deleted.push_back(entry.id);
    if (entry.shared) continue;
    chosen += entry.size;
    bool known = std::ranges::any_of(images, [&](const auto& item) { return item.first == entry.image_id; });
    if (!known) images.emplace_back(entry.image_id, entry.size);
  }
  out.space_reclaimed = static_cast<uint64_t>(remove_images(engine, std::move(images)));
  Event event;
  event.type = "builder";
  event.action = "prune";
  event.attributes = {{"reclaimed", std::to_string(out.space_reclaimed)}};
  event.time = now();
  (void)engine.events().append(std::move(event));  // what happened has happened
  return out;
}

}  // namespace sampan::engine
