// A container's writable layer becomes an image.

#include "base/strings.h"
#include "engine/changes.h"
#include "engine/internal/core.h"

namespace sampan::engine {

namespace {

oci::ImageConfig image_config_of(const container::ContainerConfig& config) {
  oci::ImageConfig out;
  out.user = config.user;
  out.exposed_ports = config.exposed_ports;
  out.env = config.env;
  out.entrypoint = config.entrypoint;
  out.cmd = config.cmd;
  out.healthcheck = config.healthcheck;
  out.volumes = config.volumes;
  out.working_dir = config.working_dir;
  out.labels = config.labels;
  out.stop_signal = config.stop_signal;
  out.shell = config.shell;
  return out;
}

}  // namespace

Result<std::string> Core::commit_container(const std::string& name, const std::optional<oci::Reference>& tag,
                                           const std::string& comment, const std::string& author, bool pause,
                                           const std::vector<std::string>& changes) {
  auto locked = TRY(lock_container(name));
  const ContainerRecord& record = *locked.record;
  auto status = container::status_of(record);
  if (status == container::Status::Removing || status == container::Status::Dead) {
    return fail(Code::Conflict, "You cannot commit container {} which is {}", record.id, record.state.status);
  }
  image::Images::CommitRequest request;
  request.writable = SnapshotKey(record.id);
  request.parent_id = record.image_id;
  request.config = image_config_of(record.config);
  TRY(apply_changes(changes, request.config));
  request.history.created = now_text();
  std::vector<std::string> argv = {record.path};
  argv.insert(argv.end(), record.args.begin(), record.args.end());
  request.history.created_by = join(argv, " ");
  request.history.author = author;
  request.history.comment = comment;
  // Frozen while it is copied, so that the image holds one moment.
  bool freeze = pause && status == container::Status::Running;
  if (freeze) TRY(cgroup_of(record).freeze());
  auto image = images_->commit(request);
  if (freeze) TRY(cgroup_of(record).thaw());
  std::string id = TRY(std::move(image));
  if (tag) TRY(images_->tag(id, *tag));
  Attributes more = {{"imageID", id}, {"comment", comment}};
  if (tag) more["imageRef"] = tag->familiar();
  tell(container_event(record, "commit", std::move(more)));
  return id;
}

}  // namespace sampan::engine
