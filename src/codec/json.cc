#include "codec/json.h"

#include "base/strings.h"

namespace sampan::codec {

JsonStyle json_style(const void*) {
  return {};
}

Result<json::value> parse_json(std::string_view text) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = 64;
  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return fail(Code::InvalidArgument, "invalid JSON: {}", error.message());
  return value;
}

std::string format_json(const json::value& value) {
  return json::serialize(value);
}

namespace {

void indent_to(std::string& out, int width) {
  out += '\n';
  out.append(static_cast<size_t>(width), ' ');
}

void format_pretty(const json::value& value, int indent, int depth, std::string& out) {
  int inner = indent * (depth + 1);
  if (const auto* object = value.if_object(); object && !object->empty()) {
    out += '{';
    bool first = true;
    for (const auto& item : *object) {
      if (!first) out += ',';
      first = false;
      indent_to(out, inner);
      out += json::serialize(item.key());
      out += ": ";
      format_pretty(item.value(), indent, depth + 1, out);
    }
    indent_to(out, indent * depth);
    out += '}';
  } else if (const auto* array = value.if_array(); array && !array->empty()) {
    out += '[';
    bool first = true;
    for (const auto& item : *array) {
      if (!first) out += ',';
      first = false;
      indent_to(out, inner);
      format_pretty(item, indent, depth + 1, out);
    }
    indent_to(out, indent * depth);
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string format_json_pretty(const json::value& value, int indent) {
  std::string out;
  format_pretty(value, indent, 0, out);
  return out;
}

std::string json_member_name(const JsonStyle& style, std::string_view member) {
  for (const auto& exception : style.names) {
    if (member == exception.member) return exception.json;
  }
  if (style.naming == Naming::Snake) return std::string(member);
  std::string out;
  bool upper = style.naming == Naming::Pascal;
  for (char c : member) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return out;
}

Error detail::type_error(const std::string& path, const char* wanted) {
  return fail(Code::InvalidArgument, "invalid JSON: {} must be {}", path.empty() ? "the document" : path, wanted);
}

}  // namespace sampan::codec
