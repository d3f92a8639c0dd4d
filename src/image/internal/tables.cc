#include "image/internal/tables.h"

#include "codec/sha256.h"

namespace sampan::image {
namespace {

constexpr std::string_view kSchema[] = {
    "CREATE TABLE IF NOT EXISTS image_configs(id TEXT PRIMARY KEY, config TEXT NOT NULL, parent TEXT NOT NULL) WITHOUT "
    "ROWID",
    "CREATE TABLE IF NOT EXISTS image_chains(image_id TEXT NOT NULL, position INTEGER NOT NULL, chain_id TEXT NOT NULL,"
    " PRIMARY KEY(image_id, position)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS image_chains_by_chain ON image_chains(chain_id)",
    "CREATE TABLE IF NOT EXISTS image_tags(domain TEXT NOT NULL, path TEXT NOT NULL, tag TEXT NOT NULL,"
    " image_id TEXT NOT NULL, PRIMARY KEY(domain, path, tag)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS image_digests(domain TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL,"
    " image_id TEXT NOT NULL, PRIMARY KEY(domain, path, digest)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS image_tags_by_image ON image_tags(image_id)",
    "CREATE INDEX IF NOT EXISTS image_digests_by_image ON image_digests(image_id)",
    "CREATE TABLE IF NOT EXISTS image_manifests(digest TEXT NOT NULL, image_id TEXT NOT NULL, media_type TEXT NOT NULL,"
    " body TEXT NOT NULL, PRIMARY KEY(image_id, digest)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS image_layers(chain_id TEXT PRIMARY KEY, diff_id TEXT NOT NULL, parent TEXT NOT NULL,"
    " size INTEGER NOT NULL, tar_size INTEGER NOT NULL, blob TEXT NOT NULL, blob_size INTEGER NOT NULL,"
    " blob_type TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS image_layers_by_blob ON image_layers(blob)",
};

std::string text(const store::Value& value) {
  const auto* out = std::get_if<std::string>(&value);
  return out ? *out : std::string();
}
int64_t number(const store::Value& value) {
  const auto* out = std::get_if<int64_t>(&value);
  return out ? *out : 0;
}

std::vector<std::string> first_column(const std::vector<store::Row>& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(text(row[0]));
  return out;
}

std::vector<NameRow> name_rows(const std::vector<store::Row>& rows) {
  std::vector<NameRow> out;
  for (const auto& row : rows) out.push_back({text(row[0]), text(row[1]), text(row[2]), text(row[3])});
  return out;
}

}  // namespace

oci::Reference NameRow::reference() const {
  bool is_digest = label.find(':') != std::string::npos;
  return {domain, path, is_digest ? "" : label, is_digest ? label : ""};
}

std::vector<std::string> chain_ids(const std::vector<std::string>& diff_ids) {
  std::vector<std::string> out;
  for (const auto& diff : diff_ids) {
    out.push_back(out.empty() ? diff : "sha256:" + codec::sha256_hex(out.back() + " " + diff));
  }
  return out;
}

Result<void> Tables::create() {
  return store_.transaction([&]() -> Result<void> {
    for (auto statement : kSchema) TRY(store_.query(statement));
    return {};
  });
}

Result<std::vector<ImageRow>> Tables::images() {
  auto rows = TRY(store_.query("SELECT id, config, parent FROM image_configs ORDER BY id"));
  std::vector<ImageRow> out;
  for (const auto& row : rows) out.push_back({text(row[0]), text(row[1]), text(row[2])});
  return out;
}

Result<std::optional<ImageRow>> Tables::find_image(const std::string& id) {
  auto rows = TRY(store_.query("SELECT id, config, parent FROM image_configs WHERE id = ?", {id}));
  if (rows.empty()) return std::optional<ImageRow>();
  return std::optional<ImageRow>(ImageRow{text(rows[0][0]), text(rows[0][1]), text(rows[0][2])});
}

Result<std::vector<std::string>> Tables::ids_with_prefix(const std::string& hex_prefix) {
  std::string low = "sha256:" + hex_prefix;
  return first_column(
      TRY(store_.query("SELECT id FROM image_configs WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", {low, low + "g"})));
}

Result<std::vector<std::string>> Tables::children(const std::string& id) {
  return first_column(TRY(store_.query("SELECT id FROM image_configs WHERE parent = ? ORDER BY id", {id})));
}

Result<void> Tables::put_image(const ImageRow& image, const std::vector<std::string>& chains) {
  TRY(store_.query("INSERT INTO image_configs(id, config, parent) VALUES(?, ?, ?) ON CONFLICT(id) DO NOTHING",
                   {image.id, image.config, image.parent}));
  int64_t position = 0;
  for (const auto& chain : chains) {
    TRY(store_.query("INSERT INTO image_chains(image_id, position, chain_id) VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
                     {image.id, position++, chain}));
  }
  return {};
}

Result<void> Tables::delete_image(const std::string& id) {
  TRY(store_.query("DELETE FROM image_configs WHERE id = ?", {id}));
  TRY(store_.query("DELETE FROM image_chains WHERE image_id = ?", {id}));
  TRY(store_.query("DELETE FROM image_tags WHERE image_id = ?", {id}));
  TRY(store_.query("DELETE FROM image_digests WHERE image_id = ?", {id}));
  TRY(store_.query("DELETE FROM image_manifests WHERE image_id = ?", {id}));
  return {};
}

Result<int64_t> Tables::image_size(const std::string& id) {
  auto rows =
      TRY(store_.query("SELECT coalesce(sum(l.size), 0) FROM image_chains c JOIN image_layers l ON"
                       " l.chain_id = c.chain_id WHERE c.image_id = ?",
                       {id}));
  return rows.empty() ? int64_t{0} : number(rows[0][0]);
}

Result<std::vector<NameRow>> Tables::tags(const std::string& image_id) {
  return name_rows(
      TRY(store_.query("SELECT domain, path, tag, image_id FROM image_tags WHERE image_id = ?"
                       " ORDER BY domain, path, tag",
                       {image_id})));
}

Result<std::vector<NameRow>> Tables::repository_tags(const oci::Reference& reference) {
  return name_rows(
      TRY(store_.query("SELECT domain, path, tag, image_id FROM image_tags WHERE domain = ? AND path = ?"
                       " ORDER BY tag",
                       {reference.domain, reference.path})));
}

Result<std::vector<NameRow>> Tables::digests(const std::string& image_id) {
  return name_rows(
      TRY(store_.query("SELECT domain, path, digest, image_id FROM image_digests WHERE image_id = ?"
                       " ORDER BY domain, path, digest",
                       {image_id})));
}

Result<std::optional<std::string>> Tables::find_named(const oci::Reference& reference) {
  bool by_digest = !reference.digest.empty();
  auto rows =
      TRY(store_.query(by_digest ? "SELECT image_id FROM image_digests WHERE domain = ? AND path = ? AND digest = ?"
                                 : "SELECT image_id FROM image_tags WHERE domain = ? AND path = ? AND tag = ?",
                       {reference.domain, reference.path, by_digest ? reference.digest : reference.tag}));
  if (rows.empty()) return std::optional<std::string>();
  return std::optional<std::string>(text(rows[0][0]));
}

Result<void> Tables::put_tag(const oci::Reference& reference, const std::string& image_id) {
  TRY(
      store_.query("INSERT INTO image_tags(domain, path, tag, image_id) VALUES(?, ?, ?, ?)"
                   " ON CONFLICT(domain, path, tag) DO UPDATE SET image_id = excluded.image_id",
                   {reference.domain, reference.path, reference.tag, image_id}));
  return {};
}

Result<void> Tables::put_digest(const oci::Reference& reference, const std::string& digest,
                                const std::string& image_id) {
  TRY(
      store_.query("INSERT INTO image_digests(domain, path, digest, image_id) VALUES(?, ?, ?, ?)"
                   " ON CONFLICT(domain, path, digest) DO UPDATE SET image_id = excluded.image_id",
                   {reference.domain, reference.path, digest, image_id}));
  return {};
}

Result<void> Tables::delete_tag(const NameRow& row) {
  TRY(store_.query("DELETE FROM image_tags WHERE domain = ? AND path = ? AND tag = ?",
                   {row.domain, row.path, row.label}));
  return {};
}

Result<void> Tables::delete_digest(const NameRow& row) {
  TRY(store_.query("DELETE FROM image_digests WHERE domain = ? AND path = ? AND digest = ?",
                   {row.domain, row.path, row.label}));
  return {};
}

Result<void> Tables::put_manifest(const ManifestRow& row) {
  TRY(
      store_.query("INSERT INTO image_manifests(digest, image_id, media_type, body) VALUES(?, ?, ?, ?)"
                   " ON CONFLICT(image_id, digest) DO NOTHING",
                   {row.digest, row.image_id, row.media_type, row.body}));
  return {};
}

Result<std::vector<ManifestRow>> Tables::manifests(const std::string& image_id) {
  auto rows =
      TRY(store_.query("SELECT digest, media_type, body, image_id FROM image_manifests WHERE image_id = ?"
                       " ORDER BY digest",
                       {image_id}));
  std::vector<ManifestRow> out;
  for (const auto& row : rows) out.push_back({text(row[0]), text(row[1]), text(row[2]), text(row[3])});
  return out;
}

Result<std::vector<LayerRow>> Tables::select_layers(const std::string& tail,
                                                    const std::vector<store::Value>& parameters) {
  auto rows =
      TRY(store_.query("SELECT l.chain_id, l.diff_id, l.parent, l.size, l.tar_size, l.blob, l.blob_size, l.blob_type"
                       " FROM image_layers l " +
                           tail,
                       parameters));
  std::vector<LayerRow> out;
  for (const auto& row : rows) {
    out.push_back({text(row[0]), text(row[1]), text(row[2]), number(row[3]), number(row[4]), text(row[5]),
                   number(row[6]), text(row[7])});
  }
  return out;
}

Result<std::optional<LayerRow>> Tables::find_layer(const std::string& chain_id) {
  auto rows = TRY(select_layers("WHERE l.chain_id = ?", {chain_id}));
  if (rows.empty()) return std::optional<LayerRow>();
  return std::optional<LayerRow>(std::move(rows[0]));
}

Result<std::vector<LayerRow>> Tables::layers_of(const std::string& image_id) {
  return select_layers("JOIN image_chains c ON c.chain_id = l.chain_id WHERE c.image_id = ? ORDER BY c.position",
                       {image_id});
}

Result<std::vector<LayerRow>> Tables::layers() {
  return select_layers("", {});
}

Result<std::vector<LayerRow>> Tables::unreferenced_layers() {
  return select_layers("WHERE NOT EXISTS (SELECT 1 FROM image_chains c WHERE c.chain_id = l.chain_id)", {});
}

Result<bool> Tables::is_layer_referenced(const std::string& chain_id) {
  return !TRY(store_.query("SELECT 1 FROM image_chains WHERE chain_id = ? LIMIT 1", {chain_id})).empty();
}

Result<void> Tables::put_layer(const LayerRow& row) {
  TRY(store_.query(
      "INSERT INTO image_layers(chain_id, diff_id, parent, size, tar_size, blob, blob_size, blob_type)"
      " VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(chain_id) DO UPDATE SET size = excluded.size,"
      " tar_size = excluded.tar_size, blob = excluded.blob, blob_size = excluded.blob_size,"
      " blob_type = excluded.blob_type",
      {row.chain_id, row.diff_id, row.parent, row.size, row.tar_size, row.blob, row.blob_size, row.blob_type}));
  return {};
}

Result<void> Tables::delete_layer(const std::string& chain_id) {
  TRY(store_.query("DELETE FROM image_layers WHERE chain_id = ?", {chain_id}));
  return {};
}

Result<bool> Tables::is_blob_referenced(const std::string& digest) {
  return !TRY(store_.query("SELECT 1 FROM image_layers WHERE blob = ? LIMIT 1", {digest})).empty();
}

Result<std::vector<std::string>> Tables::images_without_layers() {
  return first_column(
      TRY(store_.query("SELECT DISTINCT c.image_id FROM image_chains c LEFT JOIN image_layers l ON"
                       " l.chain_id = c.chain_id WHERE l.chain_id IS NULL")));
}

}  // namespace sampan::image
