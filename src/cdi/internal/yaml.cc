#include "cdi/internal/yaml.h"

#include <yaml-cpp/yaml.h>

#include <charconv>

#include "base/strings.h"

namespace sampan::cdi {

namespace {

namespace json = boost::json;

constexpr int kMaxDepth = 16;
constexpr size_t kMaxValues = 100'000;  // an alias costs what it stands for each time

/// Whole numbers as YAML 1.1 writes them: decimal, 0x..., and a leading zero for octal.
std::optional<int64_t> whole_number(const std::string& text) {
  bool negative = text.starts_with('-');
  std::string digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || digits.find_first_not_of("0123456789abcdefABCDEFxo") != std::string::npos) return std::nullopt;
  if (digits[0] < '0' || digits[0] > '9') return std::nullopt;
  int radix = 10;
  if (digits.starts_with("0x")) radix = 16;
  if (radix == 10 && digits.size() > 1 && digits[0] == '0') radix = 8;
  if (radix == 16 || digits.starts_with("0o")) digits.erase(0, 2);
  int64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, radix);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return negative ? -value : value;
}

json::value scalar_of(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return json::string(text);  // it was quoted
  if (text == "true" || text == "false") return text == "true";
  if (auto number = whole_number(text)) return *number;
  return json::string(text);
}

Result<json::value> value_of(const YAML::Node& node, int depth, size_t& values) {
  if (depth > kMaxDepth || ++values > kMaxValues) return fail(Code::InvalidArgument, "nested too deeply or too large");
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return scalar_of(node);
    case YAML::NodeType::Sequence: {
      json::array out;
      for (const auto& item : node) out.push_back(TRY(value_of(item, depth + 1, values)));
      return json::value(std::move(out));
    }
    case YAML::NodeType::Map: {
      json::object out;
      for (const auto& item : node) {
        if (!item.first.IsScalar()) return fail(Code::InvalidArgument, "a key that is not text");
        std::string key = item.first.Scalar();
        if (out.contains(key)) return fail(Code::InvalidArgument, "{}: given twice", key);
        out[key] = TRY(value_of(item.second, depth + 1, values));
      }
      return json::value(std::move(out));
    }
    default:
      return json::value(nullptr);
  }
}

}  // namespace

Result<json::value> parse_yaml(const std::string& text) {
  try {
    auto documents = YAML::LoadAll(text);
    if (documents.size() != 1) return fail(Code::InvalidArgument, "{} documents where one is meant", documents.size());
    size_t values = 0;
    return value_of(documents[0], 0, values);
  } catch (const YAML::Exception& error) {
    return fail(Code::InvalidArgument, "line {}: {}", error.mark.line + 1, error.msg);
  } catch (const std::exception& error) {
    return fail(Code::InvalidArgument, "{}", error.what());
  }
}

}  // namespace sampan::cdi
