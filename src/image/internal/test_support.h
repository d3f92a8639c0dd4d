#pragma once
// For this module's tests only: snapshots as plain directories, tar archives in memory, a Debian docker-registry on a
// loopback port.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "image/image.h"
#include "image/internal/bundle_writer.h"
#include "image/internal/streams.h"
#include "sys/file.h"

extern char** environ;

namespace sampan::image::testing {

/// The contract of Snapshots over directories, without overlay mounts.
class DirectorySnapshots final : public snapshot::Snapshots {
 public:
  explicit DirectorySnapshots(std::string root) : root_(std::move(root)) {}
  Result<void> recover() override { return {}; }
  Result<std::string> prepare_layer(const SnapshotKey& key) override {
    TRY(sys::make_dirs(diff_dir(key)));
    return diff_dir(key);
  }
  Result<void> commit_layer(const SnapshotKey& key, const std::optional<SnapshotKey>& parent, uint64_t size) override {
    infos_[key] = {key, parent, false, size};
    return {};
  }
  Result<void> discard_layer(const SnapshotKey& key) override { return sys::remove_tree(root_ + "/" + key.str()); }
  bool exists(const SnapshotKey& key) override { return infos_.contains(key); }
  Result<void> create_writable(const SnapshotKey& key, const std::optional<SnapshotKey>& parent) override {
    TRY(sys::make_dirs(diff_dir(key)));
    infos_[key] = {key, parent, true, 0};
    return {};
  }
  Result<void> promote(const SnapshotKey& writable, const SnapshotKey& layer, uint64_t size) override {
    TRY(sys::make_dirs(root_ + "/" + layer.str()));
    TRY(sys::rename_path(diff_dir(writable), diff_dir(layer)));
    infos_[layer] = {layer, infos_[writable].parent, false, size};
    infos_.erase(writable);
    return {};
  }
  Result<void> remove(const SnapshotKey& key) override {
    for (const auto& [other, info] : infos_) {
      if (info.parent == key) return fail(Code::Conflict, "snapshot {} has children", key.str());
    }
    infos_.erase(key);
    return sys::remove_tree(root_ + "/" + key.str());
  }
  Result<snapshot::SnapshotInfo> info(const SnapshotKey& key) override { return infos_.at(key); }
  Result<std::vector<snapshot::SnapshotInfo>> list() override {
    std::vector<snapshot::SnapshotInfo> out;
    for (const auto& [key, info] : infos_) out.push_back(info);
    return out;
  }
  Result<oci::Mount> mount(const SnapshotKey&) override { return fail(Code::NotImplemented, "no mounts here"); }
  std::string diff_dir(const SnapshotKey& key) override { return root_ + "/" + key.str() + "/diff"; }
  Result<std::vector<std::string>> parent_diffs(const SnapshotKey&) override { return std::vector<std::string>(); }
  Result<std::vector<snapshot::Change>> changes(const SnapshotKey& key) override {
    std::vector<snapshot::Change> out;
    for (const auto& name : TRY(sys::list_dir(diff_dir(key)))) out.push_back({"/" + name, snapshot::ChangeKind::Added});
    return out;
  }
  Result<uint64_t> usage(const SnapshotKey&) override { return uint64_t{42}; }

 private:
  std::string root_;
  std::map<SnapshotKey, snapshot::SnapshotInfo> infos_;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string text) : text_(std::move(text)) {}
  Result<size_t> read(std::span<char> buffer) override {
    size_t n = std::min(buffer.size(), text_.size() - at_);
    std::memcpy(buffer.data(), text_.data() + at_, n);
    at_ += n;
    return n;
  }

 private:
  std::string text_;
  size_t at_ = 0;
};
class MemorySink final : public ByteSink {
 public:
  Result<void> write(std::string_view bytes) override {
    text.append(bytes);
    return {};
  }
  std::string text;
};

using Files = std::vector<std::pair<std::string, std::string>>;
inline std::string make_tar(const Files& files) {
  MemorySink out;
  BundleWriter tar(out);
  for (const auto& [name, content] : files) (void)tar.add_file(name, content);
  (void)tar.finish();
  return out.text;
}
inline std::string gzip(std::string_view text) {
  MemorySink out;
  GzipSink sink(out);
  (void)sink.write(text);
  (void)sink.finish();
  return out.text;
}

/// A data root of its own with everything an Images needs; gone with the object.
class Engine {
 public:
  Engine() : root_(make_root()), snapshots_(root_ + "/snapshots"), client_(registry::make_client({})) {
    store_ = std::move(*store::open_store(root_ + "/test.db"));
    open();
  }
  ~Engine() {
    images_.reset();
    store_.reset();
    (void)sys::remove_tree(root_);
  }
  void open() { images_ = std::move(*open_images(*store_, snapshots_, *client_, {root_})); }
  Images& images() { return *images_; }
  Images* operator->() { return images_.get(); }
  registry::Client& client() { return *client_; }
  DirectorySnapshots& snapshots() { return snapshots_; }
  const std::string& root() const { return root_; }
  std::vector<std::string> names_below(const std::string& dir) { return *sys::list_dir(root_ + "/" + dir); }
  std::string file_in_top(const ImageRecord& image, const std::string& path) {
    auto text = sys::read_file(snapshots_.diff_dir(*image.top) + "/" + path);
    return text ? *text : text.error().message();
  }

 private:
  static std::string make_root() {
    char path[] = "/tmp/image.test.XXXXXX";
    return ::mkdtemp(path);
  }
  std::string root_;
  DirectorySnapshots snapshots_;
  std::unique_ptr<registry::Client> client_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Images> images_;
};

/// Debian's docker-registry with its storage in /tmp.
class LocalRegistry {
 public:
  static bool is_installed() { return ::access("/usr/bin/docker-registry", X_OK) == 0; }

  explicit LocalRegistry(const std::string& extra_config = {}, const std::string& htpasswd = {}) {
    char path[] = "/tmp/image.registry.XXXXXX";
    root_ = ::mkdtemp(path);
    port_ = free_port();
    if (!htpasswd.empty()) (void)sys::replace_file(root_ + "/htpasswd", htpasswd);
    std::string auth =
        htpasswd.empty() ? "" : fmt::format("auth: {{htpasswd: {{realm: test, path: {}/htpasswd}}}}\n", root_);
    (void)sys::replace_file(
        root_ + "/config.yml",
        fmt::format("version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {0}/data}}, "
                    "delete: {{enabled: true}}}}\nhttp: {{addr: '127.0.0.1:{1}'}}\n{2}{3}",
                    root_, port_, auth, extra_config));
    start();
  }
  ~LocalRegistry() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    (void)sys::remove_tree(root_);
  }
  std::string host() const { return fmt::format("127.0.0.1:{}", port_); }
  const std::string& root() const { return root_; }

  static int free_port() {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    (void)::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    (void)::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return ntohs(address.sin_port);
  }

 private:
  void start() {
    std::string config = root_ + "/config.yml";
    const char* argv[] = {"docker-registry", "serve", config.c_str(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, (root_ + "/log").c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    ::posix_spawn(&pid_, "/usr/bin/docker-registry", &actions, nullptr, const_cast<char**>(argv), environ);
    posix_spawn_file_actions_destroy(&actions);
    auto ends = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!is_listening() && std::chrono::steady_clock::now() < ends)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  bool is_listening() const {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port_)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bool ok = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return ok;
  }
  std::string root_;
  int port_ = 0;
  pid_t pid_ = -1;
};

/// Collects the lines of a stream.
struct Lines {
  std::vector<ProgressLine> all;
  ProgressSink sink() {
    return [this](const ProgressLine& line) { all.push_back(line); };
  }
  std::vector<std::string> statuses() const {
    std::vector<std::string> out;
    for (const auto& line : all) out.push_back(line.status.empty() ? line.stream : line.status);
    return out;
  }
};

/// Pushes blobs and manifests by the client itself, to make images of any shape.
class RawPush {
 public:
  RawPush(registry::Client& client, const std::string& host, const std::string& repository = "made/by-hand",
          registry::Credentials credentials = {})
      : client_(client), reference_{host, repository, "latest", ""}, credentials_(std::move(credentials)) {}
  const oci::Reference& reference() const { return reference_; }

  oci::Descriptor blob(const std::string& content, std::string_view media_type) {
    oci::Descriptor out{.media_type = std::string(media_type),
                        .digest = oci::Digest::of_bytes(content).str(),
                        .size = static_cast<int64_t>(content.size())};
    MemorySource source(content);
    auto pushed = client_.push_blob(reference_, out, source, credentials_, {}, never_);
    EXPECT_TRUE(pushed) << pushed.error().message();
    return out;
  }
  oci::Descriptor manifest(const std::string& body, const std::string& media_type, const std::string& tag_or_digest) {
    auto pushed = client_.push_manifest(reference_, tag_or_digest, body, media_type, credentials_, never_);
    EXPECT_TRUE(pushed) << pushed.error().message();
    return {.media_type = media_type,
            .digest = oci::Digest::of_bytes(body).str(),
            .size = static_cast<int64_t>(body.size())};
  }
  /// An image of one layer, given as its compressed bytes and its tar.
  oci::Descriptor image(const std::string& layer, std::string_view layer_type, const std::string& tar,
                        const std::string& architecture, std::string tag = {}) {
    oci::Image config{.created = "2024-01-02T03:04:05Z", .architecture = architecture, .os = "linux"};
    config.rootfs.diff_ids = {oci::Digest::of_bytes(tar).str()};
    config.config.env = {"PATH=/bin", "ARCH=" + architecture};
    oci::Manifest out{.media_type = std::string(oci::media::kOciManifest)};
    out.config = blob(oci::format_image(config), oci::media::kOciConfig);
    out.layers = {blob(layer, layer_type)};
    std::string body = oci::format_manifest(out);
    if (tag.empty()) tag = oci::Digest::of_bytes(body).str();
    return manifest(body, out.media_type, tag);
  }

 private:
  registry::Client& client_;
  oci::Reference reference_;
  registry::Credentials credentials_;
  Cancel never_;
};

}  // namespace sampan::image::testing
