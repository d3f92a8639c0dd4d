// The functions that templates call, and how Go prints values.
#include <cmath>

#include "base/strings.h"
#include "cli/format/human.h"
#include "cli/format/template_node.h"
#include "codec/json.h"
#include "codec/text.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

using Values = std::vector<json::value>;
using Function = Result<json::value> (*)(const Values&);

Error wrong(std::string text) {
  return Error(Code::InvalidArgument, std::move(text));
}

json::value text_value(std::string text) {
  return json::string(std::move(text));
}

std::optional<double> number_of(const json::value& value) {
  if (value.is_number()) return value.to_number<double>();
  return std::nullopt;
}

// -1, 0, 1; nullopt when the kinds do not compare.
std::optional<int> compare(const json::value& a, const json::value& b) {
  auto x = number_of(a), y = number_of(b);
  if (x && y) return *x < *y ? -1 : *x > *y;
  if (a.is_string() && b.is_string()) {
    int order = std::string_view(a.get_string()).compare(std::string_view(b.get_string()));
    return order < 0 ? -1 : order > 0;
  }
  if (a.is_bool() && b.is_bool()) return int(a.get_bool()) - int(b.get_bool());
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null() ? 0 : 1;
  return std::nullopt;
}

Result<json::value> equal(const Values& args) {
  if (args.size() < 2) return wrong("missing argument for comparison");
  for (size_t i = 1; i < args.size(); ++i) {
    auto order = compare(args[0], args[i]);
    if (!order) return wrong("incompatible types for comparison");
    if (*order == 0) return json::value(true);
  }
  return json::value(false);
}

template <typename Decide>
Result<json::value> ordered(const Values& args, Decide decide) {
  if (args.size() != 2) return wrong("missing argument for comparison");
  auto order = compare(args[0], args[1]);
  if (!order) return wrong("incompatible types for comparison");
  return json::value(decide(*order));
}

Result<json::value> index_value(const Values& args) {
  if (args.empty()) return wrong("index of untyped nil");
  json::value current = args[0];
  for (size_t i = 1; i < args.size(); ++i) {
    json::value next;
    if (const auto* object = current.if_object()) {
      if (!args[i].is_string()) return wrong("value is not of the map's key type");
      if (const auto* found = object->if_contains(args[i].get_string()))
        next = *found;
      else
        next = json::string();  // Go: the zero value of the element type
    } else if (const auto* array = current.if_array()) {
      auto at = number_of(args[i]);
      if (!at || *at < 0 || *at >= static_cast<double>(array->size())) {
        return wrong(fmt::format("error calling index: index out of range: {}", go_text(args[i])));
      }
      next = (*array)[static_cast<size_t>(*at)];
    } else if (current.is_null()) {
      return wrong("error calling index: index of untyped nil");
    } else {
      return wrong("error calling index: can't index item of type string");
    }
    current = std::move(next);
  }
  return current;
}

Result<json::value> length(const Values& args) {
  if (args.size() != 1) return wrong("wrong number of args for len: want 1");
  if (const auto* text = args[0].if_string()) return json::value(static_cast<int64_t>(text->size()));
  if (const auto* array = args[0].if_array()) return json::value(static_cast<int64_t>(array->size()));
  if (const auto* object = args[0].if_object()) return json::value(static_cast<int64_t>(object->size()));
  if (args[0].is_null()) return json::value(0);
  return wrong("error calling len: len of type " + go_text(args[0]));
}

Result<json::value> slice(const Values& args) {
  if (args.empty() || args.size() > 3) return wrong("wrong number of args for slice");
  size_t size = args[0].is_string() ? args[0].get_string().size() : args[0].is_array() ? args[0].get_array().size() : 0;
  auto bound = [&](size_t at, size_t fallback) {
    auto value = args.size() > at ? number_of(args[at]) : std::optional<double>(static_cast<double>(fallback));
    return value && *value >= 0 ? static_cast<size_t>(*value) : size + 1;
  };
  size_t from = bound(1, 0), to = bound(2, size);
  if (from > to || to > size) return wrong("error calling slice: index out of range");
  if (const auto* text = args[0].if_string()) return text_value(std::string(*text).substr(from, to - from));
  if (const auto* array = args[0].if_array()) return json::array(array->begin() + from, array->begin() + to);
  return wrong("error calling slice: can't slice item");
}

Result<json::value> split_text(const Values& args) {
  if (args.size() != 2) return wrong("wrong number of args for split: want 2");
  std::string text = go_text(args[0]), separator = go_text(args[1]);
  json::array out;
  size_t at = 0;
  while (!separator.empty()) {
    size_t found = text.find(separator, at);
    if (found == std::string::npos) break;
    out.emplace_back(text.substr(at, found - at));
    at = found + separator.size();
  }
  out.emplace_back(text.substr(at));
  return out;
}

Result<json::value> join_list(const Values& args) {
  if (args.size() != 2) return wrong("wrong number of args for join: want 2");
  std::vector<std::string> pieces;
  if (const auto* array = args[0].if_array()) {
    for (const auto& item : *array) pieces.push_back(go_text(item));
  } else if (!args[0].is_null()) {
    return wrong("error calling join: not a list");
  }
  return text_value(join(pieces, go_text(args[1])));
}

Result<json::value> title(const Values& args) {
  if (args.size() != 1) return wrong("wrong number of args for title: want 1");
  std::string text = go_text(args[0]);
  bool start = true;
  for (char& c : text) {
    if (start) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    start = !std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '\'';
  }
  return text_value(text);
}

Result<json::value> pad(const Values& args) {
  if (args.size() != 3 || !number_of(args[1]) || !number_of(args[2]))
    return wrong("wrong args for pad: want string, int, int");
  std::string text = go_text(args[0]);
  if (text.empty()) return text_value(text);
  auto blanks = [](const json::value& count) {
    return std::string(static_cast<size_t>(std::clamp(count.to_number<double>(), 0.0, 1000.0)), ' ');
  };
  return text_value(blanks(args[1]) + text + blanks(args[2]));
}

Result<json::value> truncate(const Values& args) {
  if (args.size() != 2 || !number_of(args[1])) return wrong("wrong args for truncate: want string, int");
  std::string text = go_text(args[0]);
  auto width = static_cast<size_t>(std::max(0.0, *number_of(args[1])));
  return text_value(text.substr(0, width));
}

Result<json::value> to_json_text(const Values& args) {
  if (args.size() != 1) return wrong("wrong number of args for json: want 1");
  return text_value(codec::format_json(args[0]));
}

Result<json::value> print(const Values& args) {
  // Blanks only between operands when neither is a string, as fmt.Sprint does.
  std::string out;
  for (size_t i = 0; i < args.size(); ++i) {
    if (i > 0 && !args[i].is_string() && !args[i - 1].is_string()) out += ' ';
    out += go_text(args[i]);
  }
  return text_value(out);
}

Result<json::value> println(const Values& args) {
  std::vector<std::string> pieces;
  for (const auto& arg : args) pieces.push_back(go_text(arg));
  return text_value(join(pieces, " ") + "\n");
}

Result<json::value> last_of(const Values& args) {
  if (args.empty()) return wrong("wrong number of args: want at least 1");
  return args.back();
}

struct FunctionRow {
  std::string_view name;
  Function call;
};

constexpr FunctionRow kFunctions[] = {
    {"and", last_of},
    {"or", last_of},
    {"not", [](const Values& a) -> Result<json::value> { return json::value(!a.empty() && !is_true(a[0])); }},
    {"eq", equal},
    {"ne", [](const Values& a) { return ordered(a, [](int order) { return order != 0; }); }},
    {"lt", [](const Values& a) { return ordered(a, [](int order) { return order < 0; }); }},
    {"le", [](const Values& a) { return ordered(a, [](int order) { return order <= 0; }); }},
    {"gt", [](const Values& a) { return ordered(a, [](int order) { return order > 0; }); }},
    {"ge", [](const Values& a) { return ordered(a, [](int order) { return order >= 0; }); }},
    {"index", index_value},
    {"len", length},
    {"slice", slice},
    {"print", print},
    {"println", println},
    {"printf", [](const Values& a) -> Result<json::value> { return text_value(TRY(go_printf(a))); }},
    {"json", to_json_text},
    {"split", split_text},
    {"join", join_list},
    {"title", title},
    {"lower",
     [](const Values& a) -> Result<json::value> { return text_value(a.empty() ? "" : to_lower(go_text(a[0]))); }},
    {"upper",
     [](const Values& a) -> Result<json::value> { return text_value(a.empty() ? "" : to_upper(go_text(a[0]))); }},
    {"pad", pad},
    {"truncate", truncate},
    {"urlquery",
     [](const Values& a) -> Result<json::value> {
       return text_value(a.empty() ? "" : codec::format_percent(go_text(a[0])));
     }},
};

std::string with_width(std::string text, bool left, bool zero, size_t width) {
  size_t have = display_width(text);
  if (have >= width) return text;
  std::string fill(width - have, zero && !left ? '0' : ' ');
  return left ? text + fill : fill + text;
}

std::string verb_text(char verb, const json::value& value, int precision) {
  switch (verb) {
    case 'q':
      return codec::format_json(value.is_string() ? value : json::value(json::string(go_text(value))));
    case 'd':
      if (auto number = number_of(value)) return std::to_string(static_cast<int64_t>(*number));
      return fmt::format("%!d(string={})", go_text(value));
    case 'x':
      if (value.is_int64()) return fmt::format("{:x}", value.get_int64());
      return codec::format_hex(go_text(value));
    case 'f':
      if (auto number = number_of(value)) return fmt::format("{:.{}f}", *number, precision < 0 ? 6 : precision);
      return fmt::format("%!f(string={})", go_text(value));
    case 't':
    case 'v':
    case 's': {
      std::string text = go_text(value);
      return precision >= 0 ? text.substr(0, static_cast<size_t>(precision)) : text;
    }
    default:
      return fmt::format("%!{}({})", verb, go_text(value));
  }
}

}  // namespace

bool is_function(std::string_view name) {
  return std::ranges::find(kFunctions, name, &FunctionRow::name) != std::end(kFunctions);
}

Result<json::value> call_function(std::string_view name, const Values& arguments) {
  const FunctionRow* row = std::ranges::find(kFunctions, name, &FunctionRow::name);
  if (row == std::end(kFunctions)) return wrong(fmt::format("function \"{}\" not defined", name));
  return row->call(arguments);
}

bool is_true(const json::value& value) {
  if (value.is_bool()) return value.get_bool();
  if (value.is_string()) return !value.get_string().empty();
  if (value.is_array()) return !value.get_array().empty();
  if (value.is_object()) return !value.get_object().empty();
  if (value.is_number()) return value.to_number<double>() != 0;
  return false;
}

std::string go_text(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_null()) return "<no value>";
  if (const auto* array = value.if_array()) {
    std::vector<std::string> pieces;
    for (const auto& item : *array) pieces.push_back(item.is_null() ? "<nil>" : go_text(item));
    return "[" + join(pieces, " ") + "]";
  }
  if (const auto* object = value.if_object()) {
    std::map<std::string, std::string> sorted;
    for (const auto& item : *object) {
      sorted[std::string(item.key())] = item.value().is_null() ? "<nil>" : go_text(item.value());
    }
    std::vector<std::string> pieces;
    for (const auto& [key, text] : sorted) pieces.push_back(key + ":" + text);
    return "map[" + join(pieces, " ") + "]";
  }
  if (const double* number = value.if_double()) return fmt::format("{}", *number);
  return codec::format_json(value);
}

Result<std::string> go_printf(const Values& arguments) {
  if (arguments.empty()) return wrong("wrong number of args for printf: want at least 1");
  std::string format = go_text(arguments[0]), out;
  size_t next = 1;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    bool left = false, zero = false;
    size_t width = 0;
    int precision = -1;
    for (++i; i < format.size() && std::string_view("-+# 0").find(format[i]) != std::string_view::npos; ++i) {
      left = left || format[i] == '-';
      zero = zero || format[i] == '0';
    }
    for (; i < format.size() && std::isdigit(static_cast<unsigned char>(format[i])); ++i) {
      width = std::min<size_t>(width * 10 + static_cast<size_t>(format[i] - '0'), 1000);
    }
    if (i < format.size() && format[i] == '.') {
      precision = 0;
      for (++i; i < format.size() && std::isdigit(static_cast<unsigned char>(format[i])); ++i) {
        precision = std::min(precision * 10 + (format[i] - '0'), 1000);
      }
    }
    if (i >= format.size()) return out + "%!(NOVERB)";
    if (format[i] == '%') {
      out += '%';
    } else if (next >= arguments.size()) {
      out += fmt::format("%!{}(MISSING)", format[i]);
    } else {
      out += with_width(verb_text(format[i], arguments[next++], precision), left, zero, width);
    }
  }
  return out;
}

}  // namespace sampan::cli
