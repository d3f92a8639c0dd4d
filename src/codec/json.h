#pragma once
// codec/json: described structs to JSON and back. For .cc files only: never include it from a public header.
//
// A struct is made known with BOOST_DESCRIBE_STRUCT(Type, (bases), (members)) beside its definition. Members are
// snake_case; their JSON names follow from the struct's naming style, with exceptions in a table, both given by an
// ADL function in the struct's namespace (no function: Pascal, no exceptions):
//
//   struct HostConfig { int64_t memory = 0; std::string uts_mode; };
//   BOOST_DESCRIBE_STRUCT(HostConfig, (), (memory, uts_mode))
//   inline codec::JsonStyle json_style(const HostConfig*) {
//     static constexpr codec::JsonName kNames[] = {{"uts_mode", "UTSMode"}};
//     return {codec::Naming::Pascal, codec::Emit::All, kNames};
//   }
//
// Reading: unknown members are ignored; null leaves the default; a wrong type is InvalidArgument naming the member's
// path. Writing: nullopt is left out; with Emit::NonEmpty so are false, 0, "", empty lists and maps.
// std::set<std::string> is Docker's {"a":{},"b":{}}. A boost::json::value member passes through untouched.

#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "codec/json_style.h"

namespace sampan::codec {

namespace json = boost::json;

/// Parses one JSON text. Errors: InvalidArgument (syntax, trailing bytes, nesting over 64 levels).
Result<json::value> parse_json(std::string_view text);
/// Compact text. Unlike Go's encoder it does not escape <, > and &, as Docker's answers do not.
std::string format_json(const json::value& value);
/// The value with two- or four-space indentation, as `docker inspect` prints it.
std::string format_json_pretty(const json::value& value, int indent = 4);
/// The JSON name of a member under a style.
std::string json_member_name(const JsonStyle& style, std::string_view member);

JsonStyle json_style(const void*);  // the default: Pascal, everything emitted

namespace detail {

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};
template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <typename T>
struct IsMap : std::false_type {};
template <typename T>
struct IsMap<std::map<std::string, T>> : std::true_type {};

template <typename T>
concept Described = boost::describe::has_describe_members<T>::value && !std::is_enum_v<T>;

Error type_error(const std::string& path, const char* wanted);

template <typename T>
const std::vector<std::string>& member_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    JsonStyle style = json_style(static_cast<const T*>(nullptr));
    boost::mp11::mp_for_each<
        boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>>(
        [&](auto member) { out.push_back(json_member_name(style, member.name)); });
    return out;
  }();
  return names;
}

}  // namespace detail

template <typename T>
Result<void> read_json(const json::value& in, T& out, const std::string& path = {});
template <typename T>
json::value write_json(const T& in);

namespace detail {

template <typename T>
Result<void> read_object(const json::value& in, T& out, const std::string& path) {
  const json::object* object = in.if_object();
  if (!object) return type_error(path, "an object");
  size_t index = 0;
  std::optional<Error> error;
  const auto& names = member_names<T>();
  boost::mp11::mp_for_each<
      boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>>(
      [&](auto member) {
        const std::string& name = names[index++];
        if (error) return;
        const json::value* value = object->if_contains(name);
        if (!value || value->is_null()) return;
        auto result = read_json(*value, out.*member.pointer, path.empty() ? name : path + "." + name);
        if (!result) error = std::move(result).error();
      });
  if (error) return std::move(*error);
  return {};
}

template <typename T>
Result<void> read_integer(const json::value& in, T& out, const std::string& path) {
  if (const int64_t* number = in.if_int64()) {
    if (std::in_range<T>(*number)) {
      out = static_cast<T>(*number);
      return {};
    }
  } else if (const uint64_t* number = in.if_uint64()) {
    if (std::in_range<T>(*number)) {
      out = static_cast<T>(*number);
      return {};
    }
  } else if (const double* number = in.if_double()) {
    if (*number >= -9.2e18 && *number <= 9.2e18 && std::in_range<T>(static_cast<int64_t>(*number)) &&
        static_cast<double>(static_cast<int64_t>(*number)) == *number) {
      out = static_cast<T>(static_cast<int64_t>(*number));
      return {};
    }
  }
  return type_error(path, "an integer in range");
}

}  // namespace detail

template <typename T>
Result<void> read_json(const json::value& in, T& out, const std::string& path) {
  if constexpr (std::is_same_v<T, json::value>) {
    out = in;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!in.is_bool()) return detail::type_error(path, "a boolean");
    out = in.get_bool();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!in.is_string()) return detail::type_error(path, "a string");
    out = std::string(in.get_string());
  } else if constexpr (std::is_integral_v<T>) {
    return detail::read_integer(in, out, path);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!in.is_number()) return detail::type_error(path, "a number");
    out = in.to_number<T>();
  } else if constexpr (detail::IsOptional<T>::value) {
    out.emplace();
    return read_json(in, *out, path);
  } else if constexpr (detail::IsVector<T>::value) {
    const json::array* array = in.if_array();
    if (!array) return detail::type_error(path, "a list");
    out.clear();
    out.reserve(array->size());
    for (const auto& item : *array) {
      typename T::value_type value{};
      if (!item.is_null()) TRY(read_json(item, value, path + "[" + std::to_string(out.size()) + "]"));
      out.push_back(std::move(value));
    }
  } else if constexpr (std::is_same_v<T, std::set<std::string>>) {
    const json::object* object = in.if_object();
    if (!object) return detail::type_error(path, "an object");
    out.clear();
    for (const auto& item : *object) out.insert(std::string(item.key()));
  } else if constexpr (detail::IsMap<T>::value) {
    const json::object* object = in.if_object();
    if (!object) return detail::type_error(path, "an object");
    out.clear();
    for (const auto& item : *object) {
      auto& slot = out[std::string(item.key())];
      if (!item.value().is_null()) TRY(read_json(item.value(), slot, path + "." + std::string(item.key())));
    }
  } else {
    static_assert(detail::Described<T>, "describe the struct with BOOST_DESCRIBE_STRUCT");
    return detail::read_object(in, out, path);
  }
  return {};
}

namespace detail {

template <typename T>
bool is_empty_value(const T& in) {
  if constexpr (std::is_arithmetic_v<T>)
    return in == T{};
  else if constexpr (requires { in.empty(); })
    return in.empty();
  else
    return false;
}

template <typename T>
json::value write_object(const T& in) {
  JsonStyle style = json_style(static_cast<const T*>(nullptr));
  json::object out;
  size_t index = 0;
  const auto& names = member_names<T>();
  boost::mp11::mp_for_each<
      boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>>(
      [&](auto member) {
        const std::string& name = names[index++];
        const auto& field = in.*member.pointer;
        using Field = std::remove_cvref_t<decltype(field)>;
        if constexpr (IsOptional<Field>::value) {
          if (field) out.emplace(name, write_json(*field));
        } else if constexpr (std::is_same_v<Field, json::value>) {
          if (style.emit == Emit::All || !field.is_null()) out.emplace(name, field);
        } else {
          if (style.emit == Emit::All || !is_empty_value(field)) out.emplace(name, write_json(field));
        }
      });
  return out;
}

}  // namespace detail

template <typename T>
json::value write_json(const T& in) {
  if constexpr (std::is_same_v<T, json::value>) {
    return in;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return json::string(in);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return json::value(in);
  } else if constexpr (detail::IsOptional<T>::value) {
    return in ? write_json(*in) : json::value(nullptr);
  } else if constexpr (detail::IsVector<T>::value) {
    json::array out;
    out.reserve(in.size());
    for (const auto& item : in) out.push_back(write_json(static_cast<const typename T::value_type&>(item)));
    return out;
  } else if constexpr (std::is_same_v<T, std::set<std::string>>) {
    json::object out;
    for (const auto& item : in) out.emplace(item, json::object());
    return out;
  } else if constexpr (detail::IsMap<T>::value) {
    json::object out;
    for (const auto& [key, value] : in) out.emplace(key, write_json(value));
    return out;
  } else {
    static_assert(detail::Described<T>, "describe the struct with BOOST_DESCRIBE_STRUCT");
    return detail::write_object(in);
  }
}

/// Parses the text into a T. Errors: InvalidArgument (syntax; a member of the wrong type, named by its path).
template <typename T>
Result<T> from_json(std::string_view text) {
  T out{};
  auto value = TRY(parse_json(text));
  TRY(read_json(value, out));
  return out;
}

template <typename T>
std::string to_json(const T& in) {
  return format_json(write_json(in));
}

}  // namespace sampan::codec
