// build: the context to POST /build, its messages to the terminal.
#include <stdlib.h>
#include <unistd.h>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/build_context.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/commands/transfer.h"
#include "cli/format/human.h"
#include "cli/values/body.h"
#include "cli/values/kind.h"
#include "cli/values/reference.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/file.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

// NAME=value, or NAME with this shell's value; null leaves it to the daemon's.
json::object build_arguments(const Arguments& arguments) {
  json::object out;
  for (const std::string& text : arguments.all("build-arg")) {
    auto pair = split_once(text, '=');
    if (pair) {
      out[pair->first] = json::string(pair->second);
    } else if (const char* value = ::getenv(text.c_str())) {
      out[text] = value;
    } else {
      out[text] = nullptr;
    }
  }
  return out;
}

// Parameters whose value is JSON made of all values of a flag, or a number with a unit.
Result<void> add_build_query(const Arguments& arguments, Query& query) {
  json::object fields;
  for (const auto& [option, value] : arguments.given) {
    if (!option->field.starts_with("query:") || option->name == "build-arg") continue;
    auto converted = value_to_json(option->kind, value);
    if (!converted) return std::move(converted).error();
    put_value(fields, option->field.substr(6), std::move(*converted), kind_info(option->kind).merge != Merge::Set);
  }
  json::object build_args = build_arguments(arguments);
  if (!build_args.empty()) fields["buildargs"] = build_args;
  for (const auto& item : fields) {
    std::string name(item.key());
    const auto& value = item.value();
    if (name == "t") {
      for (const auto& tag : value.as_array()) query.add("t", std::string(tag.as_string()));
    } else if (name == "extrahosts") {
      std::vector<std::string> hosts;
      for (const auto& host : value.as_array()) hosts.emplace_back(host.as_string());
      query.add(name, join(hosts, ","));
    } else if (value.is_bool()) {
      query.add(name, value.get_bool() ? "1" : "0");
    } else if (value.is_string()) {
      query.add(name, std::string(value.get_string()));
    } else {
      query.add(name, codec::format_json(value));
    }
  }
  if (!fields.contains("rm")) query.add("rm", "1");
  return {};
}

std::string registry_config(App& app) {
  json::object all;
  for (const std::string& server : app.config.servers()) {
    Credentials credentials = app.config.credentials(server);
    json::object entry{
        {"username", credentials.username}, {"password", credentials.password}, {"serveraddress", server}};
    if (!credentials.identity_token.empty()) entry["identitytoken"] = credentials.identity_token;
    all[server] = entry;
  }
  std::string encoded = codec::format_base64(codec::format_json(all));
  std::ranges::replace(encoded, '+', '-');
  std::ranges::replace(encoded, '/', '_');
  return encoded;
}

Result<void> check_tags(const Arguments& arguments) {
  for (const std::string& tag : arguments.all("tag")) {
    auto name = parse_image_name(tag);
    if (!name) {
      return fail(Code::InvalidArgument, "invalid argument \"{}\" for \"-t, --tag\" flag: {}", tag,
                  name.error().message());
    }
  }
  return {};
}

}  // namespace

Result<int> build_image(App& app, const Arguments& arguments) {
  TRY(check_tags(arguments));
  bool quiet = arguments.flag("quiet");
  BuildContext context = TRY(open_build_context(arguments.positional[0], arguments.get("file")));
  Query query("/build");
  query.add("dockerfile", context.dockerfile);
  if (!context.remote.empty()) query.add("remote", context.remote);
  TRY(add_build_query(arguments, query));
  std::string iid_file = arguments.get("iidfile");
  // An old id must not survive a build that fails.
  if (!iid_file.empty()) TRY(sys::remove_file(iid_file));
  if (!quiet && context.size > 0) {
    print_out(
        fmt::format("Sending build context to Sampan daemon  {}\n", human_size(static_cast<double>(context.size))));
  }
  TransferRequest request;
  request.path = query.str();
  request.options.headers.emplace_back("X-Registry-Config", registry_config(app));
  if (context.body) {
    request.options.headers.emplace_back("Content-Type", "application/x-tar");
    request.options.body_source = context.body.get();
  }
  std::string id;
  request.on_aux = [&](const json::value& aux) { id = text_at(aux, "ID"); };
  TRY(transfer(app, request));
  if (!iid_file.empty()) {
    if (id.empty()) return fail(Code::Internal, "Server did not provide an image ID. Cannot write {}", iid_file);
    TRY(sys::replace_file(iid_file, id, 0666, sys::Durable::No));
  }
  return 0;
}

}  // namespace sampan::cli
