#include "build/internal/cache.h"

#include "codec/sha256.h"

namespace sampan::build {

Result<StepCache> StepCache::open(store::Store& store) {
  TRY(
      store.query("CREATE TABLE IF NOT EXISTS build_cache (key TEXT PRIMARY KEY, image_id TEXT NOT NULL, "
                  "description TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID"));
  return StepCache(store);
}

std::string StepCache::key(const std::string& parent_id, const std::string& instruction, const std::string& content) {
  codec::Sha256 hash;
  for (const std::string* part : {&parent_id, &instruction, &content}) {
    hash.update(std::to_string(part->size()));
    hash.update(":");
    hash.update(*part);
  }
  return hash.hex();
}

Result<std::optional<std::string>> StepCache::find(const std::string& key) {
  auto rows = TRY(store_->query("SELECT image_id FROM build_cache WHERE key = ?", {key}));
  if (rows.empty()) return std::optional<std::string>();
  const auto* id = std::get_if<std::string>(&rows[0][0]);
  return id ? std::optional(*id) : std::nullopt;
}

Result<void> StepCache::put(const std::string& key, const std::string& image_id, const std::string& description,
                            codec::Time now) {
  TRY(store_->query(
      "INSERT OR REPLACE INTO build_cache (key, image_id, description, created, used) VALUES (?, ?, ?, ?, ?)",
      {key, image_id, description, now.unix_nanos, now.unix_nanos}));
  return {};
}

Result<void> StepCache::forget(const std::string& key) {
  TRY(store_->query("DELETE FROM build_cache WHERE key = ?", {key}));
  return {};
}

}  // namespace sampan::build
