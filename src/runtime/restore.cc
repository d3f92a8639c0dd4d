// restore: a container made from an image of its processes.

#include <fcntl.h>
#include <signal.h>

#include "runtime/checkpoint.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::runtime {
namespace {

class RestoredContainer final : public Container {
 public:
  RestoredContainer(std::unique_ptr<cgroup::HostCgroups> own_host, cgroup::Cgroup cgroups, Process init)
      : own_host_(std::move(own_host)), cgroups_(std::move(cgroups)), init_(std::move(init)) {}

  Process& init() override { return init_; }
  const cgroup::Cgroup& cgroups() const override { return cgroups_; }
  Result<void> start() override {
    started_ = true;
    return {};
  }
  Result<void> destroy() override {
    (void)sys::send_signal(init_.pidfd, SIGKILL);  // dead already, or the descriptor was taken by the caller
    auto killed = cgroups_.kill_all();
    if (!started_) (void)sys::reap(init_.pid);
    started_ = true;
    auto removed = cgroups_.remove();
    return removed || killed ? std::move(removed) : std::move(killed);
  }

 private:
  std::unique_ptr<cgroup::HostCgroups> own_host_;  // when the caller had none
  cgroup::Cgroup cgroups_;
  Process init_;
  bool started_ = false;
};

/// Everything that a restore names to CRIU comes from the configuration. `network` is open until CRIU has run.
Result<Criu> restore_command(const oci::Spec& spec, const CreateOptions& options, const RestoreOptions& from,
                             sys::Fd& network) {
  auto criu = TRY(prepare_criu("restore", from.images, from.work));
  criu.add({"--root", from.root_directory, "--restore-detached", "--pidfile", from.work + "/restored.pid",
            "--manage-cgroups=soft"});
  TRY(give_mounts(criu, bind_mounts_of(spec, options.init_path)));
  TRY(give_streams(criu, options.stdio));
  for (const auto& ns : spec.linux_->namespaces) {
    if (ns.type != "network" || ns.path.empty()) continue;
    network = TRY(sys::open_file(ns.path, O_RDONLY));
    give_network(criu, network.get());
  }
  return criu;
}

Result<Process> run_restore(const Criu& criu, const CreateOptions& options, const RestoreOptions& from) {
  const std::string pid_file = from.work + "/restored.pid";
  TRY(sys::remove_file(pid_file));  // of an earlier restore
  CriuRoot root{options.rootfs, from.root_directory};
  TRY(run_criu(criu, &root));
  Process init;
  init.pid = TRY(restored_pid(pid_file));
  init.pidfd = TRY(sys::open_pidfd(init.pid));
  return init;
}

}  // namespace

Result<std::unique_ptr<Container>> restore(const oci::Spec& spec, const CreateOptions& options,
                                           const RestoreOptions& from) {
  TRY(check_spec(spec));
  std::unique_ptr<cgroup::HostCgroups> own_host;
  if (!options.host_cgroups) own_host = std::make_unique<cgroup::HostCgroups>(TRY(cgroup::detect_host()));
  const auto& host = options.host_cgroups ? *options.host_cgroups : *own_host;
  sys::Fd network;
  auto criu = TRY(restore_command(spec, options, from, network));
  const std::string path = options.cgroup_path.empty() ? cgroup_path_of(spec, options.id) : options.cgroup_path;
  std::vector<std::string> warnings;
  auto cgroups = TRY(cgroup::Cgroup::create(host, path, resources_of(spec), warnings));
  auto init = run_restore(criu, options, from);
  if (!init) {
    (void)cgroups.kill_all();  // the first error is the one to tell
    (void)cgroups.remove();
    return std::move(init).error();
  }
  init->warnings = std::move(warnings);
  return std::unique_ptr<Container>(
      std::make_unique<RestoredContainer>(std::move(own_host), std::move(cgroups), std::move(*init)));
}

}  // namespace sampan::runtime
