#include "cli/commands/transfer.h"

#include <unistd.h>

#include "cli/format/progress.h"
#include "cli/stream/terminal.h"
#include "cli/values/reference.h"
#include "codec/json.h"
#include "sys/file.h"

namespace sampan::cli {

Result<void> transfer(App& app, const TransferRequest& request) {
  auto size = window_size(request.output_fd);
  unsigned columns = is_terminal(request.output_fd) ? (size ? size->columns : 80) : 0;
  ProgressView view(
      [&](std::string_view text) {
        if (request.quiet == Quiet::No) (void)sys::write_all(request.output_fd, text);  // nobody to tell
      },
      columns);
  view.on_aux = request.on_aux;
  JsonStream messages([&](const boost::json::value& message) { return view.show(message); });
  TRY(stream_request(app, request.method, request.path, request.options,
                     [&](std::string_view bytes) { return messages.feed(bytes); }));
  return {};
}

Result<void> pull_by_name(App& app, const std::string& name, const std::string& platform, int output_fd, Quiet quiet) {
  ImageName image = TRY(parse_image_name(name));
  Query query("/images/create");
  query.add("fromImage", image.repository);
  std::string tag = !image.digest.empty() ? image.digest : image.tag.empty() ? "latest" : image.tag;
  query.add("tag", tag);
  if (!platform.empty()) query.add("platform", platform);
  TransferRequest request;
  request.path = query.str();
  request.output_fd = output_fd;
  request.quiet = quiet;
  request.options.headers.emplace_back("X-Registry-Auth",
                                       registry_auth(app.config.credentials(registry_of(image.repository))));
  return transfer(app, request);
}

}  // namespace sampan::cli
