#include <algorithm>
#include <set>

#include "base/strings.h"
#include "cdi/cdi.h"
#include "sys/file.h"

namespace sampan::cdi {

namespace {

constexpr size_t kMaxFile = 1 << 20;

std::vector<std::string> spec_files_in(const std::string& dir) {
  std::vector<std::string> out;
  for (const auto& name : sys::list_dir(dir).value_or({})) {
    if (name.starts_with('.')) continue;  // somebody is writing it
    if (name.ends_with(".json") || name.ends_with(".yaml")) out.push_back(dir + "/" + name);
  }
  std::ranges::sort(out);
  return out;
}

Result<SpecFile> read_spec_file(const std::string& path) {
  auto file = TRY(parse_spec_file(TRY(sys::read_file(path, kMaxFile))));
  file.path = path;
  return file;
}

/// The devices of one directory, over those of the directories before it.
void add_directory(Catalog& catalog, const std::string& dir) {
  std::map<std::string, Catalog::Entry> here;
  std::set<std::string> disputed;
  for (const auto& path : spec_files_in(dir)) {
    auto file = read_spec_file(path);
    if (!file) {
      catalog.problems.push_back(fmt::format("{}: {}", path, file.error().message()));
      continue;
    }
    size_t index = catalog.files.size();
    catalog.files.push_back(std::move(*file));
    const SpecFile& added = catalog.files.back();
    for (size_t i = 0; i < added.devices.size(); ++i) {
      std::string name = added.kind + "=" + added.devices[i].name;
      auto [there, fresh] = here.try_emplace(name, Catalog::Entry{index, i});
      if (fresh) continue;
      disputed.insert(name);
      catalog.problems.push_back(fmt::format("{}: devices[{}]: conflicting device \"{}\": {} has it too", path, i, name,
                                             catalog.files[there->second.file].path));
    }
  }
  for (const auto& [name, entry] : here) catalog.devices.insert_or_assign(name, entry);
  for (const auto& name : disputed) catalog.devices.erase(name);
}

}  // namespace

Catalog read_catalog(std::span<const std::string> dirs) {
  Catalog catalog;
  for (const auto& dir : dirs) add_directory(catalog, dir);
  return catalog;
}

bool Catalog::has_kind(const std::string& kind) const {
  auto at = devices.lower_bound(kind + "=");
  return at != devices.end() && at->first.starts_with(kind + "=");
}

bool is_device_name(std::string_view text) {
  auto parts = split_once(text, '=');
  if (!parts || parts->second.empty()) return false;
  auto kind = split_once(parts->first, '/');
  return kind && !kind->first.empty() && !kind->second.empty() && kind->second.find('/') == std::string_view::npos;
}

}  // namespace sampan::cdi
