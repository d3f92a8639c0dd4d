// pull, push, import, load, save.
#include <fcntl.h>
#include <unistd.h>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/output_file.h"
#include "cli/commands/rows.h"
#include "cli/commands/transfer.h"
#include "cli/values/reference.h"
#include "cli/values/values.h"
#include "codec/json.h"
#include "sys/file.h"

namespace sampan::cli {

namespace {

client::CallOptions with_auth(App& app, const ImageName& image) {
  client::CallOptions options;
  options.headers.emplace_back("X-Registry-Auth", registry_auth(app.config.credentials(registry_of(image.repository))));
  return options;
}

Result<void> pull_all_tags(App& app, const Arguments& arguments, const ImageName& image) {
  Query query("/images/create");
  query.add("fromImage", image.repository);
  TRY(add_query(arguments, query));
  TransferRequest request;
  request.path = query.str();
  request.options = with_auth(app, image);
  request.quiet = arguments.flag("quiet") ? Quiet::Yes : Quiet::No;
  return transfer(app, request);
}

// The stream that load and import send: a file, or stdin.
struct Upload {
  sys::Fd owned;
  int fd = STDIN_FILENO;
};

Result<Upload> open_upload(const std::string& file) {
  Upload out;
  if (file.empty()) return out;
  auto opened = sys::open_file(file, O_RDONLY);
  if (!opened) return open_failure(file, opened.error());
  out.owned = std::move(*opened);
  out.fd = out.owned.get();
  return out;
}

}  // namespace

Result<int> pull_image(App& app, const Arguments& arguments) {
  ImageName image = TRY(parse_image_name(arguments.positional[0]));
  bool quiet = arguments.flag("quiet");
  if (arguments.flag("all-tags")) {
    if (!image.tag.empty() || !image.digest.empty()) {
      return fail(Code::InvalidArgument, "tag can't be used with --all-tags/-a");
    }
    TRY(pull_all_tags(app, arguments, image));
    return 0;
  }
  if (image.tag.empty() && image.digest.empty()) {
    image.tag = "latest";
    if (!quiet) print_out("Using default tag: latest\n");
  }
  TRY(pull_by_name(app, image.full(), arguments.get("platform"), STDOUT_FILENO, quiet ? Quiet::Yes : Quiet::No));
  print_out(image.full() + "\n");
  return 0;
}

Result<int> push_image(App& app, const Arguments& arguments) {
  ImageName image = TRY(parse_image_name(arguments.positional[0]));
  bool all = arguments.flag("all-tags"), quiet = arguments.flag("quiet");
  if (all && (!image.tag.empty() || !image.digest.empty())) {
    return fail(Code::InvalidArgument, "tag can't be used with --all-tags/-a");
  }
  if (!all && image.tag.empty() && image.digest.empty()) {
    image.tag = "latest";
    if (!quiet) print_out("Using default tag: latest\n");
  }
  Query query("/images/" + segment(image.repository) + "/push");
  if (!image.tag.empty()) query.add("tag", image.tag);
  if (arguments.has("platform")) query.add("platform", arguments.get("platform"));
  TransferRequest request;
  request.path = query.str();
  request.options = with_auth(app, image);
  request.quiet = quiet ? Quiet::Yes : Quiet::No;
  TRY(transfer(app, request));
  if (quiet) print_out(image.full() + "\n");
  return 0;
}

Result<int> import_image(App& app, const Arguments& arguments) {
  const std::string& source = arguments.positional[0];
  bool remote = source.starts_with("http://") || source.starts_with("https://");
  Query query("/images/create");
  query.add("fromSrc", remote ? source : "-");
  if (arguments.positional.size() > 1) query.add("repo", arguments.positional[1]);
  TRY(add_query(arguments, query));
  TransferRequest request;
  request.path = query.str();
  Upload upload = TRY(open_upload(remote || source == "-" ? "" : source));
  sys::FdSource body(upload.fd);
  if (!remote) {
    request.options.body_source = &body;
    request.options.headers.emplace_back("Content-Type", "text/plain");
  }
  TRY(transfer(app, request));
  return 0;
}

Result<int> load_images(App& app, const Arguments& arguments) {
  std::string file = arguments.get("input");
  if (file.empty() && is_terminal(STDIN_FILENO)) {
    return fail(Code::InvalidArgument, "requested load from stdin, but stdin is empty");
  }
  Upload upload = TRY(open_upload(file));
  sys::FdSource body(upload.fd);
  Query query("/images/load");
  if (arguments.flag("quiet") || !is_terminal(STDOUT_FILENO)) query.add("quiet", "1");
  if (arguments.has("platform")) query.add("platform", arguments.get("platform"));
  TransferRequest request;
  request.path = query.str();
  request.options.body_source = &body;
  request.options.headers.emplace_back("Content-Type", "application/x-tar");
  TRY(transfer(app, request));
  return 0;
}

Result<int> save_images(App& app, const Arguments& arguments) {
  Query query("/images/get");
  for (const std::string& name : arguments.positional) query.add("names", name);
  if (arguments.has("platform")) query.add("platform", arguments.get("platform"));
  return save_stream(app, query.str(), arguments.get("output"));
}

}  // namespace sampan::cli
