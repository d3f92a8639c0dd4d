// snapshot/overlay_snapshots: the rows, the directories and the order in which both change.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "base/strings.h"
#include "snapshot/internal/changes.h"
#include "snapshot/internal/listing.h"
#include "snapshot/internal/trash.h"
#include "snapshot/snapshot.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"

namespace sampan::snapshot {
namespace {

using store::as_int;
using store::as_text;

constexpr size_t kMaxLowers = 500;  // the kernel's limit

// Hard links of the lowers may break and renamed directories are copied: so that a diff is whole in itself and can be
// packed, moved to another machine and stacked again. Whatever the kernel's defaults are.
constexpr const char* kOverlayOptions[] = {"index=off", "redirect_dir=off", "metacopy=off"};

store::Value parent_value(const std::optional<SnapshotKey>& parent) {
  return parent ? store::Value(parent->str()) : store::Value(nullptr);
}

SnapshotInfo info_of(const store::Row& row) {
  SnapshotInfo info;
  info.key = SnapshotKey(as_text(row[0]));
  if (std::string parent = as_text(row[1]); !parent.empty()) info.parent = SnapshotKey(parent);
  info.writable = as_int(row[2]) != 0;
  info.size = static_cast<uint64_t>(as_int(row[3]));
  return info;
}

Result<void> check_key(const SnapshotKey& key) {
  if (!is_safe_component(key.str())) return fail(Code::InvalidArgument, "invalid snapshot key \"{}\"", key.str());
  return {};
}

Error no_such(const SnapshotKey& key) {
  return fail(Code::NotFound, "no such snapshot: {}", key.str());
}

class OverlaySnapshots final : public Snapshots {
 public:
  OverlaySnapshots(store::Store& store, std::string root)
      : store_(store), root_(std::move(root)), trash_(root_ + "/.trash") {}

  Result<void> open() {
    TRY(sys::make_dirs(root_));
    TRY(store_.query(
        "CREATE TABLE IF NOT EXISTS snapshots(key TEXT PRIMARY KEY, parent TEXT, writable INTEGER NOT NULL,"
        " size INTEGER NOT NULL, opaque INTEGER NOT NULL) WITHOUT ROWID"));
    TRY(store_.query("CREATE INDEX IF NOT EXISTS snapshots_by_parent ON snapshots(parent)"));
    return {};
  }

  Result<void> recover() override;
  Result<std::string> prepare_layer(const SnapshotKey& key) override;
  Result<void> commit_layer(const SnapshotKey& key, const std::optional<SnapshotKey>& parent, uint64_t size) override;
  Result<void> discard_layer(const SnapshotKey& key) override;
  bool exists(const SnapshotKey& key) override { return info(key).has_value(); }
  Result<void> create_writable(const SnapshotKey& key, const std::optional<SnapshotKey>& parent) override;
  Result<void> promote(const SnapshotKey& writable, const SnapshotKey& layer, uint64_t size) override;
  Result<void> remove(const SnapshotKey& key) override;
  Result<SnapshotInfo> info(const SnapshotKey& key) override;
  Result<std::vector<SnapshotInfo>> list() override;
  Result<oci::Mount> mount(const SnapshotKey& key) override;
  std::string diff_dir(const SnapshotKey& key) override { return dir_of(key) + "/diff"; }
  Result<std::vector<std::string>> parent_diffs(const SnapshotKey& key) override;
  Result<std::vector<Change>> changes(const SnapshotKey& key) override;
  Result<uint64_t> usage(const SnapshotKey& key) override;

 private:
  std::string dir_of(const SnapshotKey& key) const { return root_ + "/" + key.str(); }
  Result<void> check_parent(const std::optional<SnapshotKey>& parent);
  Result<void> make_fresh_dir(const SnapshotKey& key);
  Result<void> make_upper(const SnapshotKey& key, const std::optional<SnapshotKey>& parent);
  Result<void> insert(const SnapshotInfo& info, bool opaque);
  Result<bool> sync_layer(const SnapshotKey& key);

  store::Store& store_;
  std::string root_;
  Trash trash_;
};

Result<void> OverlaySnapshots::recover() {
  TRY(trash_.resume());
  std::set<std::string> rows;
  for (const auto& known : TRY(list())) {
    // A child of it keeps its row: with the same layer pulled again it is whole again, and a container's files are
    // kept.
    if (sys::path_exists(diff_dir(known.key)))
      rows.insert(known.key.str());
    else
      TRY(store_.query("DELETE FROM snapshots WHERE key=?", {known.key.str()}));
  }
  for (const auto& name : TRY(sys::list_dir(root_))) {
    if (name != ".trash" && !rows.contains(name)) TRY(trash_.take(root_ + "/" + name));
  }
  return {};
}

Result<SnapshotInfo> OverlaySnapshots::info(const SnapshotKey& key) {
  auto rows = TRY(store_.query("SELECT key, parent, writable, size FROM snapshots WHERE key=?", {key.str()}));
  if (rows.empty()) return no_such(key);
  return info_of(rows[0]);
}

Result<std::vector<SnapshotInfo>> OverlaySnapshots::list() {
  std::vector<SnapshotInfo> out;
  for (const auto& row : TRY(store_.query("SELECT key, parent, writable, size FROM snapshots ORDER BY key")))
    out.push_back(info_of(row));
  return out;
}

Result<void> OverlaySnapshots::insert(const SnapshotInfo& info, bool opaque) {
  TRY(store_.query("INSERT INTO snapshots(key, parent, writable, size, opaque) VALUES(?, ?, ?, ?, ?)",
                   {info.key.str(), parent_value(info.parent), int64_t{info.writable}, static_cast<int64_t>(info.size),
                    int64_t{opaque}}));
  return {};
}

Result<void> OverlaySnapshots::check_parent(const std::optional<SnapshotKey>& parent) {
  if (!parent) return {};
  if (TRY(info(*parent)).writable)
    return fail(Code::Conflict, "snapshot {} is writable: it cannot be a parent", parent->str());
  return {};
}

/// The snapshot's directory, empty: an attempt that was cut off may have left one.
Result<void> OverlaySnapshots::make_fresh_dir(const SnapshotKey& key) {
  TRY(check_key(key));
  if (exists(key)) return fail(Code::AlreadyExists, "snapshot {} exists already", key.str());
  if (::mkdir(dir_of(key).c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return sys::sys_error("mkdir", dir_of(key));
  TRY(trash_.take(dir_of(key)));
  return sys::make_dirs(dir_of(key));
}

Result<std::string> OverlaySnapshots::prepare_layer(const SnapshotKey& key) {
  TRY(make_fresh_dir(key));
  std::string diff = diff_dir(key);
  TRY(sys::make_dirs(diff, 0755));
  if (::chmod(diff.c_str(), 0755) < 0) return sys::sys_error("chmod", diff);  // whatever the umask is
  return diff;
}

/// Puts the layer on disk; true when its root is opaque.
Result<bool> OverlaySnapshots::sync_layer(const SnapshotKey& key) {
  auto diff = TRY(sys::open_file(diff_dir(key), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  bool opaque = is_opaque(diff.get());
  TRY_CONTEXT(sys::sync_filesystem(diff.get()), diff_dir(key));
  return opaque;
}

Result<void> OverlaySnapshots::commit_layer(const SnapshotKey& key, const std::optional<SnapshotKey>& parent,
                                            uint64_t size) {
  TRY(check_key(key));
  if (exists(key)) return {};
  TRY(check_parent(parent));
  bool opaque = TRY(sync_layer(key));
  return insert({key, parent, false, size}, opaque);
}

Result<void> OverlaySnapshots::discard_layer(const SnapshotKey& key) {
  TRY(check_key(key));
  if (exists(key)) return fail(Code::Conflict, "snapshot {} is committed", key.str());
  return trash_.take(dir_of(key));
}

Result<void> OverlaySnapshots::create_writable(const SnapshotKey& key, const std::optional<SnapshotKey>& parent) {
  TRY(check_parent(parent));
  TRY(make_fresh_dir(key));
  auto made = make_upper(key, parent);
  if (made) made = insert({key, parent, true, 0}, false);
  if (!made) (void)trash_.take(dir_of(key));  // recover() would find it, too
  return made;
}

Result<void> OverlaySnapshots::make_upper(const SnapshotKey& key, const std::optional<SnapshotKey>& parent) {
  std::string diff = diff_dir(key);
  struct stat above = {};
  above.st_mode = 0755;
  if (parent && ::lstat(diff_dir(*parent).c_str(), &above) < 0) return sys::sys_error("stat", diff_dir(*parent));
  if (::mkdir(diff.c_str(), 0755) < 0) return sys::sys_error("mkdir", diff);
  if (parent && ::mkdir((dir_of(key) + "/work").c_str(), 0700) < 0) return sys::sys_error("mkdir", dir_of(key));
  if ((above.st_uid != 0 || above.st_gid != 0) && ::chown(diff.c_str(), above.st_uid, above.st_gid) < 0)
    return sys::sys_error("chown", diff);
  // The union's root shows the mode of its top directory.
  if (::chmod(diff.c_str(), above.st_mode & 07777) < 0) return sys::sys_error("chmod", diff);
  return {};
}

Result<void> OverlaySnapshots::promote(const SnapshotKey& writable, const SnapshotKey& layer, uint64_t size) {
  TRY(check_key(layer));
  auto from = TRY(info(writable));
  if (!from.writable) return fail(Code::Conflict, "snapshot {} is not writable", writable.str());
  if (exists(layer)) return remove(writable);
  TRY(make_fresh_dir(layer));
  TRY(sys::rename_path(diff_dir(writable), diff_dir(layer)));
  auto committed = [&]() -> Result<void> {
    bool opaque = TRY(sync_layer(layer));
    return store_.transaction([&]() -> Result<void> {
      TRY(insert({layer, from.parent, false, size}, opaque));
      TRY(store_.query("DELETE FROM snapshots WHERE key=?", {writable.str()}));
      return {};
    });
  }();
  if (!committed) {
    // The writable one is what the caller still has.
    (void)sys::rename_path(diff_dir(layer), diff_dir(writable));
    return committed;
  }
  return trash_.take(dir_of(writable));
}

Result<void> OverlaySnapshots::remove(const SnapshotKey& key) {
  TRY(check_key(key));
  TRY(store_.transaction([&]() -> Result<void> {
    auto children = TRY(store_.query("SELECT key FROM snapshots WHERE parent=? LIMIT 1", {key.str()}));
    if (!children.empty()) return fail(Code::Conflict, "snapshot {} is used by {}", key.str(), as_text(children[0][0]));
    TRY(store_.query("DELETE FROM snapshots WHERE key=?", {key.str()}));
    return {};
  }));
  return trash_.take(dir_of(key));
}

Result<std::vector<std::string>> OverlaySnapshots::parent_diffs(const SnapshotKey& key) {
  // The snapshot itself first, then its parents. A parent without a row ends the chain with a row of NULLs.
  auto rows = TRY(store_.query(
      "WITH RECURSIVE chain(depth, wanted) AS (SELECT 0, ? UNION ALL"
      " SELECT depth + 1, s.parent FROM chain JOIN snapshots s ON s.key = chain.wanted"
      " WHERE s.parent IS NOT NULL AND s.opaque = 0 AND depth < 1000)"
      " SELECT chain.wanted, s.key FROM chain LEFT JOIN snapshots s ON s.key = chain.wanted ORDER BY depth",
      {key.str()}));
  std::vector<std::string> out;
  for (const auto& row : rows) {
    if (as_text(row[1]).empty()) return no_such(SnapshotKey(as_text(row[0])));
    out.push_back(diff_dir(SnapshotKey(as_text(row[1]))));
  }
  out.erase(out.begin());
  if (out.size() > kMaxLowers)
    return fail(Code::InvalidArgument, "snapshot {} has {} parents; overlayfs takes {}", key.str(), out.size(),
                kMaxLowers);
  return out;
}

Result<oci::Mount> OverlaySnapshots::mount(const SnapshotKey& key) {
  auto own = TRY(info(key));
  auto lowers = TRY(parent_diffs(key));
  oci::Mount mount;
  if (lowers.empty()) {
    mount.type = "bind";
    mount.source = diff_dir(key);
    mount.options = {"bind", own.writable ? "rw" : "ro"};
    return mount;
  }
  mount.type = mount.source = "overlay";
  if (!own.writable) {
    lowers.insert(lowers.begin(), diff_dir(key));
    mount.options.emplace_back("ro");
  }
  for (const auto& lower : lowers) mount.options.push_back("lowerdir+=" + lower);
  if (own.writable) {
    mount.options.push_back("upperdir=" + diff_dir(key));
    mount.options.push_back("workdir=" + dir_of(key) + "/work");
  }
  for (const char* option : kOverlayOptions) mount.options.emplace_back(option);
  return mount;
}

Result<std::vector<Change>> OverlaySnapshots::changes(const SnapshotKey& key) {
  return scan_changes(diff_dir(key), TRY(parent_diffs(key)));
}

Result<uint64_t> OverlaySnapshots::usage(const SnapshotKey& key) {
  auto own = TRY(info(key));
  return own.writable ? scan_usage(diff_dir(key)) : Result<uint64_t>(own.size);
}

}  // namespace

Result<std::unique_ptr<Snapshots>> open_overlay_snapshots(store::Store& store, const std::string& root) {
  auto snapshots = std::make_unique<OverlaySnapshots>(store, root);
  TRY_CONTEXT(snapshots->open(), "open snapshots");
  return std::unique_ptr<Snapshots>(std::move(snapshots));
}

}  // namespace sampan::snapshot
