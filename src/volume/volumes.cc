#include <sys/random.h>
#include <sys/stat.h>

#include <chrono>
#include <mutex>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/error.h"
#include "sys/file.h"
#include "volume/volume.h"

namespace sampan::volume {

BOOST_DESCRIBE_STRUCT(VolumeRecord, (), (name, driver, mountpoint, created, labels, options, anonymous))
inline codec::JsonStyle json_style(const VolumeRecord*) {
  return {codec::Naming::Snake, codec::Emit::All};
}

namespace {

constexpr std::string_view kKind = "volume";
constexpr std::string_view kTrash = ".trash-";

Result<std::string> random_name() {
  char bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return sys::sys_error("getrandom");
  return codec::format_hex({bytes, sizeof bytes});
}

std::string now_text() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  int64_t nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
  return codec::format_rfc3339({nanos / 1'000'000'000 * 1'000'000'000});
}

Result<void> validate(const std::string& name, const std::string& driver,
                      const std::map<std::string, std::string>& options) {
  if (!driver.empty() && driver != "local") {
    return fail(Code::NotFound, "error looking up volume plugin {}: plugin \"{}\" not found", driver, driver);
  }
  if (!name.empty() && (name.size() < 2 || !is_safe_component(name))) {
    return fail(
        Code::InvalidArgument,
        "create {}: \"{}\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
        "allowed. If you intended to pass a host directory, use absolute path",
        name, name);
  }
  for (const auto& [key, value] : options) {
    return fail(Code::NotImplemented, "volume option \"{}\" is not implemented by the local driver", key);
  }
  return {};
}

class LocalVolumes final : public Volumes {
 public:
  LocalVolumes(store::Store& store, std::string root) : store_(store), root_(std::move(root)) {}

  Result<void> recover() override {
    std::lock_guard lock(mutex_);
    for (const auto& name : TRY(sys::list_dir(root_))) {
      if (name.starts_with(kTrash)) {
        TRY(sys::remove_tree(root_ + "/" + name));
      } else if (!TRY(store::find_document(store_, kKind, name)) && is_safe_component(name)) {
        // Data is never thrown away because its record is missing.
        TRY(put({name, "local", path_of(name), now_text(), {}, {}, name.size() == 64}));
      }
    }
    for (const auto& record : TRY(load_all())) TRY(sys::make_dirs(record.mountpoint, 0755));
    return {};
  }

  Result<VolumeRecord> create(const std::string& name, const std::string& driver,
                              const std::map<std::string, std::string>& labels,
                              const std::map<std::string, std::string>& options) override {
    TRY(validate(name, driver, options));
    std::lock_guard lock(mutex_);
    if (!name.empty()) {
      if (auto known = TRY(find(name))) return std::move(*known);
    }
    VolumeRecord record;
    record.anonymous = name.empty();
    record.name = name.empty() ? TRY(random_name()) : name;
    record.mountpoint = path_of(record.name);
    record.created = now_text();
    record.labels = labels;
    if (record.anonymous) record.labels["com.docker.volume.anonymous"] = "";
    record.options = options;
    TRY(put(record));
    TRY(sys::make_dirs(root_ + "/" + record.name, 0701));
    TRY(sys::make_dirs(record.mountpoint, 0755));
    return record;
  }

  Result<VolumeRecord> get(const std::string& name) override {
    std::lock_guard lock(mutex_);
    if (auto record = TRY(find(name))) return std::move(*record);
    return fail(Code::NotFound, "get {}: no such volume", name);
  }

  Result<std::vector<VolumeRecord>> list() override {
    std::lock_guard lock(mutex_);
    return load_all();
  }

  Result<void> remove(const std::string& name) override {
    std::string trash;
    {
      std::lock_guard lock(mutex_);
      if (!TRY(find(name))) return fail(Code::NotFound, "get {}: no such volume", name);
      trash = fmt::format("{}/{}{}", root_, kTrash, TRY(random_name()));
      // Out of the way first: a half-deleted tree must never come back under its name.
      if (sys::path_exists(root_ + "/" + name)) TRY(sys::rename_path(root_ + "/" + name, trash));
      TRY(store::delete_document(store_, kKind, name));
    }
    return sys::remove_tree(trash);
  }

 private:
  std::string path_of(const std::string& name) const { return root_ + "/" + name + "/_data"; }
  Result<void> put(const VolumeRecord& record) {
    return store::put_document(store_, kKind, record.name, codec::to_json(record));
  }

  Result<std::optional<VolumeRecord>> find(const std::string& name) {
    auto text = TRY(store::find_document(store_, kKind, name));
    if (!text) return std::optional<VolumeRecord>();
    return std::optional(TRY_CONTEXT(codec::from_json<VolumeRecord>(*text), fmt::format("record of volume {}", name)));
  }

  Result<std::vector<VolumeRecord>> load_all() {
    std::vector<VolumeRecord> out;
    for (const auto& [name, text] : TRY(store::list_documents(store_, kKind))) {
      auto record = codec::from_json<VolumeRecord>(text);
      if (record)
        out.push_back(std::move(*record));
      else
        TRY(store::quarantine_document(store_, kKind, name, record.error().message()));
    }
    return out;
  }

  store::Store& store_;
  std::string root_;
  std::mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<Volumes>> open_volumes(store::Store& store, const std::string& root) {
  TRY(sys::make_dirs(root, 0701));
  return std::unique_ptr<Volumes>(std::make_unique<LocalVolumes>(store, root));
}

}  // namespace sampan::volume
