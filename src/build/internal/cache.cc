#include "build/internal/cache.h"

#include <chrono>

#include "build/cache_records.h"
#include "codec/sha256.h"

namespace sampan::build {

Result<StepCache> StepCache::open(store::Store& store) {
  TRY(
      store.query("CREATE TABLE IF NOT EXISTS build_cache (key TEXT PRIMARY KEY, image_id TEXT NOT NULL, "
                  "description TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID"));
  // Databases of before have no count.
  auto counts = TRY(store.query("SELECT 1 FROM pragma_table_info('build_cache') WHERE name = 'uses'"));
  if (counts.empty()) TRY(store.query("ALTER TABLE build_cache ADD COLUMN uses INTEGER NOT NULL DEFAULT 0"));
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
  if (!id) return std::optional<std::string>();
  auto now = std::chrono::system_clock::now().time_since_epoch();
  TRY(store_->query("UPDATE build_cache SET used = ?, uses = uses + 1 WHERE key = ?",
                    {std::chrono::duration_cast<std::chrono::nanoseconds>(now).count(), key}));
  return std::optional(*id);
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

namespace {

std::string text_of(const store::Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text ? *text : "";
}

int64_t number_of(const store::Value& value) {
  const auto* number = std::get_if<int64_t>(&value);
  return number ? *number : 0;
}

}  // namespace

Result<std::vector<CacheRecord>> list_cache(store::Store& store) {
  TRY(StepCache::open(store));
  std::vector<CacheRecord> out;
  for (const auto& row : TRY(store.query(
           "SELECT key, image_id, description, created, used, uses FROM build_cache ORDER BY used, created, key"))) {
    out.push_back({text_of(row[0]), text_of(row[1]), text_of(row[2]), codec::Time{number_of(row[3])},
                   codec::Time{number_of(row[4])}, number_of(row[5])});
  }
  return out;
}

Result<void> forget_cache(store::Store& store, const std::string& key) {
  return TRY(StepCache::open(store)).forget(key);
}

}  // namespace sampan::build
