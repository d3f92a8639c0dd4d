#include "cli/commands/create.h"

#include <fcntl.h>
#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/commands/transfer.h"
#include "cli/values/reference.h"
#include "codec/json.h"
#include "sys/file.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

// The file that --cidfile names: made before the container, so that a container without its file never exists.
class CidFile {
 public:
  static Result<CidFile> open(const std::string& path) {
    CidFile out;
    if (path.empty()) return out;
    auto fd = sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (!fd && fd.error().errno_value() == EEXIST) {
      return fail(Code::Conflict, "container ID file found, make sure the other container isn't running or delete {}",
                  path);
    }
    if (!fd) return std::move(fd).error().context("failed to create the container ID file");
    out.path_ = path;
    out.fd_ = std::move(*fd);
    return out;
  }
  Result<void> write(const std::string& id) {
    if (!fd_.valid()) return {};
    written_ = true;
    return sys::write_all(fd_.get(), id);
  }
  CidFile(CidFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)), written_(other.written_) {}
  ~CidFile() {
    if (!path_.empty() && !written_) ::unlink(path_.c_str());
  }

 private:
  CidFile() = default;
  std::string path_;
  sys::Fd fd_;
  bool written_ = false;
};

Result<std::string> create_once(App& app, const Arguments& arguments, const CreateRequest& request) {
  Query query("/containers/create");
  TRY(add_query(arguments, query));
  client::CallOptions options;
  options.headers.emplace_back("Content-Type", "application/json");
  options.body = request.body;
  auto response = TRY(sampan::cli::request(app, "POST", query.str(), options));
  auto value = TRY(codec::parse_json(response.body));
  const auto* object = value.if_object();
  const auto* id = object ? object->if_contains("Id") : nullptr;
  if (!id || !id->is_string()) return fail(Code::Internal, "the daemon's answer to create has no Id");
  if (const auto* warnings = object->if_contains("Warnings"); warnings && warnings->is_array()) {
    for (const auto& warning : warnings->get_array()) {
      if (warning.is_string()) print_err("WARNING: " + std::string(warning.get_string()) + "\n");
    }
  }
  return std::string(id->get_string());
}

bool is_missing_image(const Error& error) {
  return error.code() == Code::NotFound && error.root_message().find("No such image") != std::string::npos;
}

}  // namespace

Result<std::string> create_from(App& app, const Arguments& arguments, const CreateRequest& request) {
  auto cid_file = TRY(CidFile::open(arguments.get("cidfile")));
  std::string pull = arguments.get("pull");
  auto do_pull = [&] {
    return pull_by_name(app, request.image, arguments.get("platform"), STDERR_FILENO,
                        arguments.flag("quiet") ? Quiet::Yes : Quiet::No);
  };
  if (pull == "always") TRY(do_pull());
  auto id = create_once(app, arguments, request);
  if (!id && pull != "always" && pull != "never" && is_missing_image(id.error())) {
    if (!arguments.flag("quiet")) {
      auto image = parse_image_name(request.image);
      if (image && image->tag.empty() && image->digest.empty()) image->tag = "latest";
      print_err(fmt::format("Unable to find image '{}' locally\n", image ? image->familiar() : request.image));
    }
    TRY(do_pull());
    id = create_once(app, arguments, request);
  }
  if (!id) return id;
  TRY(cid_file.write(*id));
  return id;
}

Result<int> create_container(App& app, const Arguments& arguments) {
  auto request = make_create_request(arguments, false);
  auto id = request ? create_from(app, arguments, *request) : Result<std::string>(request.error());
  if (!id) {
    print_err(
        fmt::format("sampan: {}\n\nRun '{} --help' for more information\n", id.error().message(), arguments.spelling));
    return 1;
  }
  print_out(*id + "\n");
  return 0;
}

}  // namespace sampan::cli
