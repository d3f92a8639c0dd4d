// Commands that ask the same of each container named.
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/values/body.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

Result<int> post_each(App& app, const Arguments& arguments, const char* action) {
  return for_each_name(arguments.positional, [&](const std::string& name) -> Result<std::string> {
    Query query("/containers/" + segment(name) + "/" + action);
    TRY(add_query(arguments, query));
    TRY(post(app, query.str()));
    return name;
  });
}

}  // namespace

Result<int> stop_containers(App& app, const Arguments& arguments) {
  return post_each(app, arguments, "stop");
}
Result<int> restart_containers(App& app, const Arguments& arguments) {
  return post_each(app, arguments, "restart");
}
Result<int> kill_containers(App& app, const Arguments& arguments) {
  return post_each(app, arguments, "kill");
}
Result<int> pause_containers(App& app, const Arguments& arguments) {
  return post_each(app, arguments, "pause");
}
Result<int> unpause_containers(App& app, const Arguments& arguments) {
  return post_each(app, arguments, "unpause");
}

Result<int> remove_containers(App& app, const Arguments& arguments) {
  bool forced = arguments.flag("force");
  return for_each_name(arguments.positional, [&](const std::string& name) -> Result<std::string> {
    std::string bare = name.substr(std::min(name.find_first_not_of('/'), name.size()));
    if (bare.empty()) return fail(Code::InvalidArgument, "container name cannot be empty");
    Query query("/containers/" + segment(bare));
    TRY(add_query(arguments, query));
    auto removed = request(app, "DELETE", query.str());
    if (!removed && forced && removed.error().code() == Code::NotFound) {
      // rm -f of what is not there is said, but is no failure.
      print_err(removed.error().message() + "\n");
      return std::string();
    }
    if (!removed) return std::move(removed).error();
    return name;
  });
}

Result<int> wait_containers(App& app, const Arguments& arguments) {
  return for_each_name(arguments.positional, [&](const std::string& name) -> Result<std::string> {
    auto response = TRY(post(app, "/containers/" + segment(name) + "/wait"));
    auto value = TRY(codec::parse_json(response.body));
    const auto* code = value.is_object() ? value.get_object().if_contains("StatusCode") : nullptr;
    return std::to_string(code && code->is_number() ? code->to_number<int64_t>() : 0);
  });
}

Result<int> rename_container(App& app, const Arguments& arguments) {
  Query query("/containers/" + segment(arguments.positional[0]) + "/rename");
  query.add("name", arguments.positional[1]);
  auto renamed = post(app, query.str());
  if (renamed) return 0;
  if (renamed.error().code() == Code::Unavailable) return std::move(renamed).error();
  print_err(fmt::format("{}\nError: failed to rename container named {}\n", renamed.error().message(),
                        arguments.positional[0]));
  return 1;
}

Result<int> update_containers(App& app, const Arguments& arguments) {
  if (arguments.given.empty()) {
    return fail(Code::InvalidArgument, "you must provide one or more flags when using this command");
  }
  json::object body;
  TRY(fill_body(arguments, body));
  return for_each_name(arguments.positional, [&](const std::string& name) -> Result<std::string> {
    auto answer = TRY(post_json(app, "/containers/" + segment(name) + "/update", body));
    const auto* warnings = answer.is_object() ? answer.get_object().if_contains("Warnings") : nullptr;
    if (warnings && warnings->is_array()) {
      for (const auto& warning : warnings->get_array()) print_err(std::string(warning.as_string()) + "\n");
    }
    return name;
  });
}

}  // namespace sampan::cli
