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

Result<std::string> Core::commit_container(const std::string& name, const CommitOptions& options) {
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
  if (options.config) {
    container::ContainerConfig merged = *options.config;
    container::merge_image(request.config, merged);
    request.config = image_config_of(merged);
    if (merged.on_build) request.config.on_build = *merged.on_build;
  }
  TRY(apply_changes(options.changes, request.config));
  request.history.created = now_text();
  std::vector<std::string> argv = {record.path};
  argv.insert(argv.end(), record.args.begin(), record.args.end());
  request.history.created_by = join(argv, " ");
  request.history.author = options.author;
  request.history.comment = options.comment;
  // Frozen while it is copied, so that the image holds one moment.
  bool freeze = options.pause && status == container::Status::Running;
  if (freeze) TRY(cgroup_of(record).freeze());
  auto image = images_->commit(request);
  if (freeze) TRY(cgroup_of(record).thaw());
  std::string id = TRY(std::move(image));
  if (options.tag) TRY(tag_image(id, *options.tag));
  Attributes more = {{"imageID", id}, {"comment", options.comment}};
  if (options.tag) more["imageRef"] = options.tag->familiar();
  tell(container_event(record, "commit", std::move(more)));
  return id;
}

}  // namespace sampan::engine
