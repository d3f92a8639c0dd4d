// Attaching a client's connection to a container's streams, resizing its terminal, reading its log.

#include <fcntl.h>

#include "engine/internal/core.h"
#include "sys/error.h"

namespace sampan::engine {

namespace {

Result<sys::Fd> duplicate(const sys::Fd& fd) {
  int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return sys::sys_error("fcntl");
  return sys::Fd(copy);
}

}  // namespace

Result<void> Core::attach_container(const std::string& name, sys::Fd& client, const shim::AttachOptions& options) {
  auto found = TRY(containers_.get(name));
  TRY(container::can_attach(*found.record));
  auto copy = TRY(duplicate(client));  // the caller keeps its own until the shim has taken this one
  std::shared_ptr<shim::ShimConnection> connection;
  {
    std::lock_guard lock(found.cell->live);
    connection = found.cell->shim;
    if (!connection) found.cell->pending.push_back({std::move(copy), options});
  }
  if (connection) TRY(connection->attach(std::move(copy), options));
  client.reset();
  tell(container_event(*found.record, "attach"));
  return {};
}

Result<void> Core::resize_container(const std::string& name, uint16_t rows, uint16_t columns) {
  auto found = TRY(containers_.get(name));
  auto connection = found.cell->connection();
  if (!connection) return fail(Code::Conflict, "container {} is not running", found.record->id);
  if (!found.record->config.tty) return {};  // nothing to resize, and nothing to complain of, as in Docker
  TRY(connection->resize("", rows, columns));
  tell(
      container_event(*found.record, "resize", {{"height", std::to_string(rows)}, {"width", std::to_string(columns)}}));
  return {};
}

Result<std::unique_ptr<logs::Reader>> Core::open_logs(const std::string& name, const logs::ReadOptions& options) {
  auto record = TRY(get_container(name));
  std::string file = container::log_file(*record);
  if (record->host_config.log_config.type == "none" || file.empty()) {
    return fail(Code::NotImplemented, "configured logging driver does not support reading");
  }
  return logs::open_reader(file, options, logs::format_of_driver(record->host_config.log_config.type));
}

}  // namespace sampan::engine
