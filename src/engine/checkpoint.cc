// Checkpoints: directories of images below the container's own, or where the client says. One that is there is
// complete: it gets its name when CRIU has ended.

#include <sys/stat.h>

#include <algorithm>
#include <future>

#include "engine/internal/core.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

constexpr std::chrono::seconds kExitPatience{10};

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_checkpoint_name(const std::string& name) {
  return name.size() >= 2 && is_alphanumeric(name[0]) &&
         std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_directory(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<std::string> place_of(const std::string& own, const std::string& asked) {
  if (asked.empty()) return own + "/checkpoints";
  if (!asked.starts_with('/')) return fail(Code::InvalidArgument, "checkpoint directory {} is not absolute", asked);
  return asked;
}

/// Errors without a status of their own, as with Docker: the daemon's.
Result<void> check_name(const std::string& name) {
  if (is_checkpoint_name(name)) return {};
  return fail(Code::Unknown, "Invalid checkpoint ID ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
}

Result<std::string> find_checkpoint(const std::string& place, const std::string& checkpoint,
                                    const std::string& container) {
  TRY(check_name(checkpoint));
  std::string images = place + "/" + checkpoint;
  if (!sys::path_exists(images))
    return fail(Code::Unknown, "checkpoint {} does not exist for container {}", checkpoint, container);
  if (!is_directory(images)) return fail(Code::Unknown, "{} exists and is not a directory", images);
  return images;
}

}  // namespace

Result<void> Core::create_checkpoint(const std::string& name, const std::string& checkpoint,
                                     const std::string& directory, bool exit) {
  auto exited = std::make_shared<std::promise<void>>();
  auto future = exited->get_future();
  std::shared_ptr<void> wait;
  {
    auto locked = TRY(lock_container(name));
    ContainerRecord record = *locked.record;
    auto connection = locked.cell->connection();
    if (!record.state.running() || !connection) return fail(Code::Unknown, "Container {} not running", name);
    TRY(check_name(checkpoint));
    if (record.config.tty) return fail(Code::Unknown, "checkpoint not supported on containers with tty");
    if (container::status_of(record) == container::Status::Paused)
      return fail(Code::Unknown, "Cannot checkpoint container {}: it is paused", name);
    std::string place = TRY(place_of(container_dir(record.id), directory));
    std::string images = place + "/" + checkpoint;
    if (is_directory(images))
      return fail(Code::Unknown, "checkpoint with name {} already exists for container {}", checkpoint, name);
    if (sys::path_exists(images)) return fail(Code::Unknown, "{} exists and is not a directory", images);
    TRY(sys::make_dirs(place, 0700));
    wait = waiters_.add(record.id, false, [exited](WaitResult) { exited->set_value(); });
    using LeaveRunning = shim::ShimConnection::LeaveRunning;
    auto done =
        connection->checkpoint(images, container_dir(record.id) + "/criu", exit ? LeaveRunning::No : LeaveRunning::Yes);
    if (!done) return std::move(done).error().context(fmt::format("Cannot checkpoint container {}", name));
    if (exit) {
      record.manually_stopped = true;  // it ended to go on from here, not to be started anew
      record.state.ending.asked = "stop";
    }
    TRY(save(record, {container_event(record, "checkpoint")}));
  }
  // Who asks for a start next must not meet the run that has just ended.
  if (exit && future.wait_for(kExitPatience) != std::future_status::ready)
    return fail(Code::DeadlineExceeded, "container {} was checkpointed, but its exit was not seen", name);
  return {};
}

Result<std::vector<std::string>> Core::list_checkpoints(const std::string& name, const std::string& directory) {
  auto found = TRY(containers_.get(name));
  std::string place = TRY(place_of(container_dir(found.record->id), directory));
  std::vector<std::string> names;
  if (!sys::path_exists(place)) return names;
  for (auto& entry : TRY(sys::list_dir(place)))
    if (is_checkpoint_name(entry) && is_directory(place + "/" + entry)) names.push_back(std::move(entry));
  std::ranges::sort(names);
  return names;
}

Result<void> Core::remove_checkpoint(const std::string& name, const std::string& checkpoint,
                                     const std::string& directory) {
  auto locked = TRY(lock_container(name));
  std::string place = TRY(place_of(container_dir(locked.record->id), directory));
  return sys::remove_tree(TRY(find_checkpoint(place, checkpoint, name)));
}

Result<void> Core::restore_container(const std::string& name, const std::string& checkpoint,
                                     const std::string& directory) {
  auto locked = TRY(lock_container(name));
  TRY(container::can_start(*locked.record));
  std::string place = TRY(place_of(container_dir(locked.record->id), directory));
  std::string images = TRY(find_checkpoint(place, checkpoint, name));
  loop_->cancel(std::exchange(locked.cell->restart_timer, 0));
  auto record = container::begin_start(*locked.record);
  record.restart_count = record.state.restart_delay_ms = 0;
  return start_locked(locked.cell, std::move(record), images);
}

}  // namespace sampan::engine
