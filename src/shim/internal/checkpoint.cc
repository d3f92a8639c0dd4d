// A container written into files by CRIU, and made again from them.

#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shim/internal/shim_process.h"
#include "sys/child.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::shim {

namespace {

/// What is being written, beside what it will be; no name of a checkpoint begins so.
std::string unfinished(const std::string& images) {
  size_t slash = images.rfind('/');
  return images.substr(0, slash + 1) + "." + images.substr(slash + 1) + ".part";
}

}  // namespace

Result<runtime::Criu> ShimProcess::checkpoint_command(const Request& request, const std::string& images) {
  TRY(sys::remove_tree(images));  // of a run that was killed
  auto criu = TRY(runtime::prepare_criu("dump", images, request.work));
  criu.add({"--tree", std::to_string(init_.pid), "--root", fmt::format("/proc/{}/root", init_.pid)});
  criu.add({"--manage-cgroups=soft"});
  if (request.leave_running) criu.add({"--leave-running"});
  TRY(runtime::name_mounts(criu, bind_mounts_, init_.pid));
  const std::string network = fmt::format("/proc/{}/ns/net", init_.pid);
  bool own_network = TRY(sys::read_link(network)) != TRY(sys::read_link("/proc/self/ns/net"));
  if (own_network) TRY(runtime::name_network(criu, network));
  TRY(runtime::save_streams(criu, init_.pid));
  return criu;
}

/// CRIU runs beside us: the streams go on being read, for it waits for what is written into them meanwhile.
Result<void> ShimProcess::begin_checkpoint(const Request& request, sys::Fd answer) {
  if (!running_ || exited_) return fail(Code::Conflict, "container {} is not running", id_);
  if (checkpoint_) return fail(Code::Conflict, "another checkpoint of container {} is being made", id_);
  const std::string images = unfinished(request.images);
  auto checkpoint = std::make_unique<Checkpoint>();
  auto begun = [&]() -> Result<void> {
    checkpoint->criu = TRY(checkpoint_command(request, images));
    checkpoint->child = TRY(runtime::start_criu(checkpoint->criu, nullptr));
    return {};
  }();
  if (!begun) {
    (void)sys::remove_tree(images);
    return begun;
  }
  if (!request.leave_running) again_.forbidden = true;  // it ends to go on from here
  checkpoint->shim = this;
  checkpoint->images = request.images;
  checkpoint->answer = std::move(answer);
  checkpoint->watch.set(loop_, checkpoint->child.pidfd.get(), EPOLLIN, *checkpoint);
  checkpoint_ = std::move(checkpoint);
  return {};
}

void ShimProcess::on_checkpoint_ended() {
  auto status = sys::reap_child(checkpoint_->child.pidfd);
  if (status && !*status) return;  // a spurious wake-up
  auto checkpoint = std::move(checkpoint_);
  checkpoint->watch.reset();
  auto done = [&]() -> Result<void> {
    auto seen = TRY(std::move(status));
    TRY(runtime::outcome_of(checkpoint->criu, *seen));
    const char* from = checkpoint->criu.images.c_str();
    if (::rename(from, checkpoint->images.c_str()) != 0) return sys::sys_error("rename", checkpoint->images);
    return {};
  }();
  if (!done) (void)sys::remove_tree(checkpoint->criu.images);
  if (!done && !exited_) again_.forbidden = false;
  Reply reply = done ? Reply{} : reply_of(done.error());
  (void)sys::send_packet(checkpoint->answer.get(), format_reply(reply));  // a caller that has gone needs no answer
}

/// CRIU leaves the new init to whoever adopts orphans.
Result<std::unique_ptr<runtime::Container>> ShimProcess::restore_container(const StartMessage& message,
                                                                           const runtime::CreateOptions& options) {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) return sys::sys_error("prctl PR_SET_CHILD_SUBREAPER");
  const std::string root = dir_ + "/rootfs";
  TRY(sys::make_dirs(root, 0700));
  auto container = runtime::restore(message.spec, options, {message.restore_images, message.restore_work, root});
  (void)::rmdir(root.c_str());
  // Other orphans are nobody's: they end in the container's own process namespace, or are reaped by its init.
  (void)::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  return container;
}

}  // namespace sampan::shim
