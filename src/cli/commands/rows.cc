#include "cli/commands/rows.h"

#include "base/strings.h"

namespace sampan::cli {

namespace json = boost::json;

const json::value& member_at(const json::value& value, std::string_view path) {
  static const json::value null;
  const json::value* at = &value;
  while (!path.empty()) {
    size_t dot = path.find('.');
    const auto* object = at->if_object();
    at = object ? object->if_contains(path.substr(0, dot)) : nullptr;
    if (!at) return null;
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return *at;
}

std::string text_at(const json::value& value, std::string_view path) {
  const auto& found = member_at(value, path);
  return found.is_string() ? std::string(found.get_string()) : std::string();
}

int64_t number_at(const json::value& value, std::string_view path) {
  const auto& found = member_at(value, path);
  if (const double* number = found.if_double()) return static_cast<int64_t>(*number);
  if (const uint64_t* number = found.if_uint64()) return static_cast<int64_t>(std::min<uint64_t>(*number, INT64_MAX));
  return found.is_int64() ? found.get_int64() : 0;
}

bool flag_at(const json::value& value, std::string_view path) {
  const auto& found = member_at(value, path);
  return found.is_bool() && found.get_bool();
}

const json::array& list_at(const json::value& value, std::string_view path) {
  static const json::array empty;
  const auto* array = member_at(value, path).if_array();
  return array ? *array : empty;
}

const json::object& object_at(const json::value& value, std::string_view path) {
  static const json::object empty;
  const auto* object = member_at(value, path).if_object();
  return object ? *object : empty;
}

std::string labels_text(const json::value& labels) {
  std::vector<std::string> out;
  if (const auto* object = labels.if_object()) {
    for (const auto& item : *object) {
      out.push_back(std::string(item.key()) + "=" +
                    (item.value().is_string() ? std::string(item.value().get_string()) : ""));
    }
  }
  std::ranges::sort(out);
  return join(out, ",");
}

}  // namespace sampan::cli
