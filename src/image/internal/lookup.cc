#include <chrono>

#include "base/strings.h"
#include "codec/text.h"
#include "image/internal/core.h"

namespace sampan::image {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

bool is_hex(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.find_first_not_of(kHexDigits) == std::string_view::npos;
}

std::string_view without_algorithm(std::string_view text) {
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  return text;
}

Error no_such_image(const std::string& name) {
  auto reference = oci::parse_reference(name);
  return make_error(Code::NotFound, "No such image: {}", reference ? reference->familiar() : name);
}

int64_t unix_nanos(const std::string& time) {
  auto parsed = codec::parse_rfc3339(time);
  return parsed ? parsed->unix_nanos : 0;
}

}  // namespace

std::string short_id(std::string_view digest) {
  return std::string(without_algorithm(digest).substr(0, 12));
}

std::string now_rfc3339() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return codec::format_rfc3339({std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()});
}

bool is_id_prefix(const std::string& id, std::string_view name) {
  std::string_view hex = without_algorithm(name);
  return is_hex(hex) && without_algorithm(id).starts_with(hex);
}

Result<std::string> find_image_id(Core& core, const std::string& name) {
  std::string_view hex = without_algorithm(name);
  const bool may_be_id = is_hex(hex);
  if (may_be_id && hex.size() == 64) {
    auto row = TRY(core.tables.find_image("sha256:" + std::string(hex)));
    if (!row) return no_such_image(name);
    return row->id;
  }
  if (auto reference = oci::parse_reference(name)) {
    if (auto id = TRY(core.tables.find_named(*reference))) return *id;
  } else if (!may_be_id) {
    return std::move(reference).error();
  }
  if (!may_be_id) return no_such_image(name);
  auto ids = TRY(core.tables.ids_with_prefix(std::string(hex)));
  if (ids.size() > 1) return fail(Code::InvalidArgument, "ambiguous image id prefix: {}", name);
  if (ids.empty()) return no_such_image(name);
  return ids[0];
}

Result<ImageRecord> read_record(Core& core, const ImageRow& row) {
  ImageRecord out;
  out.id = row.id;
  out.config = TRY_CONTEXT(oci::parse_image(row.config), "image " + row.id);
  out.config_json = row.config;
  out.parent = row.parent;
  for (const auto& tag : TRY(core.tables.tags(row.id))) out.repo_tags.push_back(tag.familiar());
  for (const auto& digest : TRY(core.tables.digests(row.id))) out.repo_digests.push_back(digest.familiar());
  out.size = TRY(core.tables.image_size(row.id));
  if (auto chains = chain_ids(out.config.rootfs.diff_ids); !chains.empty()) out.top = key_of_chain(chains.back());
  return out;
}

Result<ImageRecord> get_record(Core& core, const std::string& id) {
  auto row = TRY(core.tables.find_image(id));
  if (!row) return no_such_image(id);
  return read_record(core, *row);
}

Result<std::vector<ImageRecord>> list_records(Core& core) {
  std::vector<ImageRecord> out;
  for (const auto& row : TRY(core.tables.images())) {
    auto record = read_record(core, row);
    if (record)
      out.push_back(std::move(*record));
    else if (record.error().code() != Code::InvalidArgument)
      return std::move(record).error();
    // A configuration that does not parse hides its image and nothing else.
  }
  return out;
}

Result<std::vector<HistoryEntry>> image_history(Core& core, const std::string& id) {
  auto record = TRY(get_record(core, id));
  auto layers = TRY(core.tables.layers_of(id));
  std::vector<HistoryEntry> out;
  size_t next_layer = 0;
  for (const auto& step : record.config.history) {
    HistoryEntry entry{.id = "<missing>",
                       .created = unix_nanos(step.created) / 1'000'000'000,
                       .created_by = step.created_by,
                       .comment = step.comment};
    if (!step.empty_layer && next_layer < layers.size()) entry.size = layers[next_layer++].size;
    out.push_back(std::move(entry));
  }
  // A configuration may say nothing about its layers.
  for (; next_layer < layers.size(); ++next_layer) {
    out.push_back({.id = "<missing>",
                   .created = unix_nanos(record.config.created) / 1'000'000'000,
                   .size = layers[next_layer].size});
  }
  std::reverse(out.begin(), out.end());
  std::string image = id;
  for (auto& entry : out) {
    auto row = TRY(core.tables.find_image(image));
    if (!row) break;
    entry.id = image;
    for (const auto& tag : TRY(core.tables.tags(image))) entry.tags.push_back(tag.familiar());
    if (row->parent.empty()) break;
    image = row->parent;
  }
  return out;
}

}  // namespace sampan::image
