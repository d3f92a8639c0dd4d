// inspect, of one kind or of the first that knows the name.
#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/format/template.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

struct ObjectKind {
  std::string_view name;
  std::string_view prefix;
  std::string_view suffix;
};
constexpr ObjectKind kKinds[] = {{"container", "/containers/", "/json"},
                                 {"image", "/images/", "/json"},
                                 {"network", "/networks/", ""},
                                 {"volume", "/volumes/", ""}};

using Lookup = std::function<Result<json::value>(const std::string& name)>;

Result<json::value> look_up(App& app, const Arguments& arguments, const ObjectKind& kind, const std::string& name) {
  Query query(std::string(kind.prefix) + segment(name) + std::string(kind.suffix));
  bool sized = kind.name == "container" && arguments.command && arguments.flag("size");
  if (sized) query.add("size", "1");
  if (kind.name == "network" && arguments.has("verbose")) query.add("verbose", "1");
  return get_json(app, query.str());
}

Result<int> inspect_each(const Arguments& arguments, const Lookup& look) {
  std::string format = arguments.get("format");
  std::optional<Template> text;
  if (format == "json") format = "{{json .}}";
  if (!format.empty()) text = TRY_CONTEXT(Template::parse(format), "template parsing error");
  json::array found;
  std::string out;
  int exit_code = 0;
  std::string errors;
  for (const std::string& name : arguments.positional) {
    auto object = look(name);
    if (!object) {
      if (object.error().code() == Code::Unavailable) return std::move(object).error();
      errors += object.error().message() + "\n";
      exit_code = 1;
    } else if (text) {
      auto line = text->run(*object);
      if (!line) {
        errors += "template parsing error: " + line.error().message() + "\n";
        exit_code = 1;
        out += "\n";
        continue;
      }
      out += *line + "\n";
    } else {
      found.push_back(std::move(*object));
    }
  }
  if (text && out.empty()) out = "\n";
  print_out(text ? out : codec::format_json_pretty(found) + "\n");
  print_err(errors);
  return exit_code;
}

Result<int> inspect_kind(App& app, const Arguments& arguments, const ObjectKind& kind) {
  return inspect_each(arguments, [&](const std::string& name) { return look_up(app, arguments, kind, name); });
}

}  // namespace

Result<int> inspect_containers(App& app, const Arguments& arguments) {
  return inspect_kind(app, arguments, kKinds[0]);
}
Result<int> inspect_images(App& app, const Arguments& arguments) {
  return inspect_kind(app, arguments, kKinds[1]);
}
Result<int> inspect_networks(App& app, const Arguments& arguments) {
  return inspect_kind(app, arguments, kKinds[2]);
}
Result<int> inspect_volumes(App& app, const Arguments& arguments) {
  return inspect_kind(app, arguments, kKinds[3]);
}

Result<int> inspect_any(App& app, const Arguments& arguments) {
  std::string type = arguments.get("type");
  if (!type.empty()) {
    const ObjectKind* kind = std::ranges::find(kKinds, type, &ObjectKind::name);
    if (kind == std::end(kKinds)) {
      return fail(Code::InvalidArgument,
                  "unknown type: \"{}\": must be one of \"container\", \"image\", \"network\", \"volume\"", type);
    }
    return inspect_kind(app, arguments, *kind);
  }
  return inspect_each(arguments, [&](const std::string& name) -> Result<json::value> {
    for (const ObjectKind& kind : kKinds) {
      auto object = look_up(app, arguments, kind, name);
      if (object || object.error().code() != Code::NotFound) return object;
    }
    return fail(Code::NotFound, "Error: No such object: {}", name);
  });
}

}  // namespace sampan::cli
