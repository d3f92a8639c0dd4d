#include "engine/step_runner.h"

#include <poll.h>
#include <sys/socket.h>

#include <condition_variable>
#include <mutex>

#include "codec/json.h"
#include "engine/internal/names.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

/// The end of one container, waited for on this thread.
class RunEnd {
 public:
  std::function<void(WaitResult)> callback() {
    return [state = state_](WaitResult result) {
      std::lock_guard lock(state->mutex);
      state->result = std::move(result);
      state->changed.notify_all();
    };
  }
  WaitResult wait() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->result.has_value(); });
    return *state_->result;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<WaitResult> result;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

Result<void> apply_build_options(const build::BuildOptions& options, container::HostConfig& host) {
  host.network_mode = options.network_mode;
  host.memory = options.memory;
  host.memory_swap = options.memory_swap;
  host.cpu_shares = options.cpu_shares;
  host.cpu_period = options.cpu_period;
  host.cpu_quota = options.cpu_quota;
  host.cpuset_cpus = options.cpuset_cpus;
  host.cpuset_mems = options.cpuset_mems;
  host.shm_size = options.shm_size;
  host.cgroup_parent = options.cgroup_parent;
  if (!options.extra_hosts.empty()) host.extra_hosts = options.extra_hosts;
  if (!options.ulimits_json.empty()) {
    host.ulimits = TRY_CONTEXT(codec::from_json<std::vector<container::Ulimit>>(options.ulimits_json), "ulimits");
  }
  return {};
}

class ContainerSteps final : public build::StepRunner {
 public:
  explicit ContainerSteps(Engine& engine) : engine_(engine) {}

  Result<std::string> create(const build::RunStep& step) override {
    if (step.image_id.empty()) return fail(Code::InvalidArgument, "nothing can run on an empty image");
    container::ContainerSpec spec;
    spec.config.image = step.image_id;
    spec.config.entrypoint = {""};  // resets the image's
    spec.config.cmd = step.argv;
    spec.config.env = step.config.env;
    spec.config.user = step.config.user;
    spec.config.working_dir = step.config.working_dir;
    spec.config.healthcheck = oci::HealthConfig{.test = {"NONE"}};
    spec.host_config.log_config.type = "none";
    if (step.options) TRY(apply_build_options(*step.options, spec.host_config));
    return TRY(engine_.create_container(spec)).id;
  }

  Result<build::StepResult> run(const std::string& id, const std::function<void(std::string_view)>& output,
                                const Cancel& cancel) override {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return sys::sys_error("socketpair");
    sys::Fd ours(ends[0]), theirs(ends[1]);
    shim::AttachOptions options;
    options.stdout_ = options.stderr_ = true;
    options.multiplexed = false;
    TRY(engine_.attach_container(id, theirs, options));
    RunEnd end;
    auto waiting = TRY(engine_.wait_container(id, WaitCondition::NextExit, end.callback()));
    TRY(engine_.start_container(id));
    TRY(pump(id, ours, output, cancel));
    auto result = end.wait();
    TRY(cancel.check());
    return build::StepResult{id, static_cast<int>(result.status_code), SnapshotKey(id)};
  }

  Result<SnapshotKey> open_writable(const std::string& image_id) override {
    std::optional<SnapshotKey> parent;
    if (!image_id.empty()) parent = TRY(engine_.images().get(image_id)).top;
    SnapshotKey key("build-" + random_id());
    TRY(engine_.snapshots().create_writable(key, parent));
    return key;
  }

  Result<sys::DirFd> root_of(const SnapshotKey& writable) override {
    return snapshot::open_detached(TRY(engine_.snapshots().mount(writable)));
  }

  Result<sys::DirFd> root_of_image(const std::string& image_id) override {
    auto image = TRY(engine_.images().get(image_id));
    if (image.top) return snapshot::open_detached(TRY(engine_.snapshots().mount(*image.top)));
    return fail(Code::NotFound, "image {} has no layers", image_id);
  }

  void release(const std::string& id_or_key) override {
    if (engine_.get_container(id_or_key))
      (void)engine_.remove_container(id_or_key, {.force = true, .volumes = true});
    else
      (void)engine_.snapshots().remove(SnapshotKey(id_or_key));  // recover() tries again
  }

  Result<std::string> pull(const std::string& reference, const build::BuildOptions& options,
                           const image::ProgressSink& progress, const Cancel& cancel) override {
    auto parsed = TRY(oci::parse_reference(reference));
    std::optional<oci::Platform> platform;
    if (!options.platform.empty()) platform = TRY(oci::parse_platform(options.platform));
    registry::Credentials credentials;
    for (const char* host : {parsed.domain.c_str(), "https://index.docker.io/v1/"}) {
      bool hub = std::string_view(host).starts_with("https:");
      if (hub && parsed.domain != "docker.io") continue;
      if (auto it = options.credentials.find(host); it != options.credentials.end()) credentials = it->second;
    }
    TRY(engine_.pull_image(parsed, platform, credentials, progress, cancel));
    return TRY(engine_.images().get(parsed.familiar())).id;
  }

 private:
  /// Until the shim closes the stream, which it does after the last byte.
  Result<void> pump(const std::string& id, const sys::Fd& stream, const std::function<void(std::string_view)>& output,
                    const Cancel& cancel) {
    char buffer[16384];
    bool killed = false;
    for (;;) {
      if (cancel.cancelled() && !std::exchange(killed, true)) (void)engine_.kill_container(id, "KILL");
      pollfd wait{stream.get(), POLLIN, 0};
      int ready = ::poll(&wait, 1, 200);
      if (ready < 0 && errno != EINTR) return sys::sys_error("poll");
      if (ready <= 0) continue;
      size_t n = TRY(sys::read_some(stream.get(), buffer));
      if (n == 0) return {};
      output({buffer, n});
    }
  }

  Engine& engine_;
};

}  // namespace

std::unique_ptr<build::StepRunner> make_step_runner(Engine& engine) {
  return std::make_unique<ContainerSteps>(engine);
}

}  // namespace sampan::engine
