#include "snapshot/subtree.h"

#include <fcntl.h>

#include "base/strings.h"
#include "snapshot/internal/lowers.h"
#include "sys/file.h"
#include "sys/safe_path.h"

namespace sampan::snapshot {

namespace {

/// Where `path` ends in the union once every link is followed: "/a/b".
Result<std::string> resolve_inside(const oci::Mount& whole, const std::string& path) {
  auto root = TRY(open_detached(whole));
  auto inside = TRY(sys::open_in_root(root.get(), path, O_PATH));
  return sys::read_link(fmt::format("/proc/self/fd/{}", inside.get()));
}

oci::Mount bind_of(const std::string& source) {
  oci::Mount out;
  out.type = "bind";
  out.source = source;
  out.options = {"bind", "ro"};
  return out;
}

}  // namespace

Result<oci::Mount> subtree_mount(Snapshots& snapshots, const SnapshotKey& layer, const std::string& path) {
  if (TRY(snapshots.info(layer)).writable) return fail(Code::InvalidArgument, "snapshot {} is writable", layer.str());
  oci::Mount whole = TRY(snapshots.mount(layer));
  if (path.empty()) return whole;
  std::string found = TRY(resolve_inside(whole, path));
  if (found == "/") return whole;

  std::vector<std::string> directories = TRY(snapshots.parent_diffs(layer));
  directories.insert(directories.begin(), snapshots.diff_dir(layer));
  auto lowers = TRY(Lowers::open(directories));
  Lowers::Merged merged = lowers.root();
  std::string way;
  size_t nearest = 0;
  for (const auto& name : split(found.substr(1), '/')) {
    way += (way.empty() ? "" : "/") + name;
    auto entry = lowers.find(merged, way);
    if (!entry) return fail(Code::NotFound, "{}: no such file or directory", path);
    merged = std::move(entry->merged);
    nearest = entry->layer;
  }
  if (merged.size() < 2) return bind_of(directories[nearest] + found);
  std::erase_if(whole.options, [](const std::string& option) { return option.starts_with("lowerdir+="); });
  for (size_t index : merged) whole.options.push_back("lowerdir+=" + directories[index] + found);
  return whole;
}

}  // namespace sampan::snapshot
