// volume/local_volumes: records and directories of the driver "local".

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <mutex>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/error.h"
#include "sys/file.h"
#include "volume/volume.h"

namespace sampan::volume {

// The mountpoint follows from the name and the data root, which may be moved: it is not stored.
struct StoredVolume {
  std::string name, driver, created;
  std::map<std::string, std::string> labels, options;
  bool anonymous = false;
};
BOOST_DESCRIBE_STRUCT(StoredVolume, (), (name, driver, created, labels, options, anonymous));
inline codec::JsonStyle json_style(const StoredVolume*) {
  return {codec::Naming::Snake, codec::Emit::All};
}

namespace {

constexpr std::string_view kKind = "volume";
constexpr const char* kAnonymousLabel = "com.docker.volume.anonymous";

std::string now_text() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  // Docker tells whole seconds.
  return codec::format_rfc3339({std::chrono::duration_cast<std::chrono::seconds>(now).count() * 1'000'000'000});
}

Result<std::string> random_name() {
  char bytes[32];
  if (::getentropy(bytes, sizeof bytes) < 0) return sys::sys_error("getentropy");
  return codec::format_hex({bytes, sizeof bytes});
}

Result<void> check_name(const std::string& name) {
  if (name.size() == 1) {
    return fail(Code::InvalidArgument,
                "volume name is too short, names should be at least two alphanumeric characters");
  }
  if (!is_safe_component(name)) {
    return fail(
        Code::InvalidArgument,
        "\"{}\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. "
        "If you intended to pass a host directory, use absolute path",
        name);
  }
  return {};
}

class LocalVolumes final : public Volumes {
 public:
  LocalVolumes(store::Store& store, std::string root) : store_(store), root_(std::move(root)) {}

  Result<void> recover() override;
  Result<VolumeRecord> create(const std::string& name, const std::string& driver,
                              const std::map<std::string, std::string>& labels,
                              const std::map<std::string, std::string>& options) override;
  Result<VolumeRecord> get(const std::string& name) override;
  Result<std::vector<VolumeRecord>> list() override;
  Result<void> remove(const std::string& name) override;

 private:
  std::string data_dir(const std::string& name) const { return root_ + "/" + name + "/_data"; }
  std::string trash() const { return root_ + "/.trash"; }
  Result<std::optional<VolumeRecord>> find(const std::string& name);
  Result<VolumeRecord> parse(const std::string& json);
  Result<void> save(const VolumeRecord& record);
  Result<void> make_dir(const std::string& name);
  Result<void> adopt(const std::string& name);

  store::Store& store_;
  std::string root_;
  std::mutex mutex_;  // a create and a remove of one name at the same time
  unsigned long removals_ = 0;
};

Result<VolumeRecord> LocalVolumes::parse(const std::string& json) {
  auto stored = TRY(codec::from_json<StoredVolume>(json));
  if (!is_safe_component(stored.name)) return fail(Code::InvalidArgument, "a record without a valid name");
  return VolumeRecord{stored.name,
                      stored.driver,
                      data_dir(stored.name),
                      stored.created,
                      std::move(stored.labels),
                      std::move(stored.options),
                      stored.anonymous};
}

Result<void> LocalVolumes::save(const VolumeRecord& record) {
  StoredVolume stored{record.name, record.driver, record.created, record.labels, record.options, record.anonymous};
  return store::put_document(store_, kKind, record.name, codec::to_json(stored));
}

Result<std::optional<VolumeRecord>> LocalVolumes::find(const std::string& name) {
  auto json = TRY(store::find_document(store_, kKind, name));
  if (!json) return std::optional<VolumeRecord>();
  return std::optional<VolumeRecord>(TRY_CONTEXT(parse(*json), fmt::format("volume {}", name)));
}

/// An existing one keeps its mode: a container may have given it another.
Result<void> LocalVolumes::make_dir(const std::string& name) {
  TRY(sys::make_dirs(root_ + "/" + name, 0701));
  std::string data = data_dir(name);
  if (::mkdir(data.c_str(), 0755) == 0) {
    if (::chmod(data.c_str(), 0755) < 0) return sys::sys_error("chmod", data);  // whatever the umask is
    return {};
  }
  struct stat info;
  if (errno == EEXIST && ::lstat(data.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return sys::sys_error("mkdir", data);
}

Result<void> LocalVolumes::adopt(const std::string& name) {
  struct stat info;
  if (::lstat(data_dir(name).c_str(), &info) < 0 || !S_ISDIR(info.st_mode)) return {};  // not one of ours
  VolumeRecord record;
  record.name = name;
  record.created = codec::format_rfc3339({info.st_mtim.tv_sec * 1'000'000'000});
  // Not anonymous, whatever the name looks like: a prune must not take what nobody remembers making.
  return save(record);
}

Result<void> LocalVolumes::recover() {
  std::lock_guard lock(mutex_);
  TRY(sys::remove_tree(trash()));
  for (const auto& [name, json] : TRY(store::list_documents(store_, kKind))) {
    auto record = parse(json);
    if (!record)
      TRY(store::quarantine_document(store_, kKind, name, record.error().message()));
    else
      TRY_CONTEXT(make_dir(name), fmt::format("volume {}", name));
  }
  for (const auto& name : TRY(sys::list_dir(root_))) {
    if (name.size() > 1 && is_safe_component(name) && !TRY(find(name))) TRY(adopt(name));
  }
  return {};
}

Result<VolumeRecord> LocalVolumes::create(const std::string& wanted, const std::string& driver,
                                          const std::map<std::string, std::string>& labels,
                                          const std::map<std::string, std::string>& options) {
  VolumeRecord record;
  record.anonymous = wanted.empty();
  record.name = record.anonymous ? TRY(random_name()) : wanted;
  std::string context = fmt::format("create {}", record.name);
  TRY_CONTEXT(check_name(record.name), context);
  record.driver = driver.empty() ? "local" : driver;
  record.mountpoint = data_dir(record.name);
  record.created = now_text();
  record.labels = labels;
  record.options = options;
  if (record.anonymous) record.labels.try_emplace(kAnonymousLabel, "");

  std::lock_guard lock(mutex_);
  if (auto existing = TRY(find(record.name))) {
    if (!driver.empty() && existing->driver != driver)
      return fail(Code::Conflict, "{}: conflict: volume name must be unique", context);
    return *existing;
  }
  if (record.driver != "local") {
    return fail(Code::NotFound, "{}: error looking up volume plugin {}: plugin \"{}\" not found", context, driver,
                driver);
  }
  TRY_CONTEXT(volume_mount(record), context);  // are the options good?
  TRY_CONTEXT(make_dir(record.name), context);
  TRY_CONTEXT(save(record), context);
  return record;
}

Result<VolumeRecord> LocalVolumes::get(const std::string& name) {
  auto record = TRY(find(name));
  if (!record) return fail(Code::NotFound, "get {}: no such volume", name);
  return *record;
}

Result<std::vector<VolumeRecord>> LocalVolumes::list() {
  std::vector<VolumeRecord> out;
  for (const auto& [name, json] : TRY(store::list_documents(store_, kKind))) {
    // One that does not parse is set aside by recover(); until then it is not told.
    if (auto record = parse(json)) out.push_back(std::move(*record));
  }
  return out;
}

Result<void> LocalVolumes::remove(const std::string& name) {
  TRY(get(name));
  std::string context = fmt::format("remove {}", name), target;
  {
    std::lock_guard lock(mutex_);
    TRY_CONTEXT(sys::make_dirs(trash()), context);
    do {
      target = fmt::format("{}/{}", trash(), removals_++);
    } while (sys::path_exists(target));
    auto moved = sys::rename_path(root_ + "/" + name, target);
    if (!moved && moved.error().errno_value() != ENOENT) return std::move(moved).error().context(context);
    TRY_CONTEXT(store::delete_document(store_, kKind, name), context);
  }
  // Outside the lock: it may be large. What cannot be deleted now is tried again by recover().
  (void)sys::remove_tree(target);
  return {};
}

}  // namespace

Result<std::unique_ptr<Volumes>> open_volumes(store::Store& store, const std::string& root) {
  TRY_CONTEXT(sys::make_dirs(root, 0701), "open volumes");
  return std::unique_ptr<Volumes>(std::make_unique<LocalVolumes>(store, root));
}

}  // namespace sampan::volume
