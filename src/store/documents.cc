// store/documents: whole records as JSON text under (kind, key).

#include "store/store.h"

namespace sampan::store {

int64_t as_int(const Value& value) {
  const auto* number = std::get_if<int64_t>(&value);
  return number ? *number : 0;
}

std::string as_text(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text ? *text : std::string();
}

Result<void> put_document(Store& store, std::string_view kind, std::string_view key, std::string_view json) {
  TRY(
      store.query("INSERT INTO documents(kind, key, json) VALUES(?, ?, ?) "
                  "ON CONFLICT(kind, key) DO UPDATE SET json=excluded.json",
                  {std::string(kind), std::string(key), std::string(json)}));
  return {};
}

Result<void> delete_document(Store& store, std::string_view kind, std::string_view key) {
  TRY(store.query("DELETE FROM documents WHERE kind=? AND key=?", {std::string(kind), std::string(key)}));
  return {};
}

Result<std::optional<std::string>> find_document(Store& store, std::string_view kind, std::string_view key) {
  auto rows =
      TRY(store.query("SELECT json FROM documents WHERE kind=? AND key=?", {std::string(kind), std::string(key)}));
  std::optional<std::string> json;
  if (!rows.empty()) json = as_text(rows[0][0]);
  return json;
}

Result<std::vector<std::pair<std::string, std::string>>> list_documents(Store& store, std::string_view kind) {
  auto rows = TRY(store.query("SELECT key, json FROM documents WHERE kind=? ORDER BY key", {std::string(kind)}));
  std::vector<std::pair<std::string, std::string>> out;
  out.reserve(rows.size());
  for (auto& row : rows) out.emplace_back(as_text(row[0]), as_text(row[1]));
  return out;
}

Result<void> quarantine_document(Store& store, std::string_view kind, std::string_view key, std::string_view reason) {
  return store.transaction([&]() -> Result<void> {
    TRY(
        store.query("INSERT INTO quarantine(kind, key, json, reason) "
                    "SELECT kind, key, json, ? FROM documents WHERE kind=? AND key=?",
                    {std::string(reason), std::string(kind), std::string(key)}));
    return delete_document(store, kind, key);
  });
}

}  // namespace sampan::store
