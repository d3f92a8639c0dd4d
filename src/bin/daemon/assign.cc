#include "daemon/assign.h"

#include "base/strings.h"
#include "codec/text.h"

namespace sampan::daemon {

namespace json = codec::json;

namespace {

Result<std::pair<std::string, std::string>> parse_pair(const std::string& word, const char* key) {
  auto pair = split_once(word, '=');
  if (!pair || pair->first.empty()) return fail(Code::InvalidArgument, "{}: \"{}\" is not KEY=VALUE", key, word);
  return std::pair(std::string(pair->first), std::string(pair->second));
}

Result<bool> parse_bool(const std::string& word, const char* key) {
  if (word == "true" || word == "1") return true;
  if (word == "false" || word == "0" || word == "-1") return false;
  return fail(Code::InvalidArgument, "{}: \"{}\" is not a boolean", key, word);
}

/// "nofile=1024:2048"; one number is both limits.
Result<UlimitSetting> parse_ulimit(const std::string& word, const char* key) {
  auto [name, limits] = TRY(parse_pair(word, key));
  size_t colon = limits.find(':');
  auto soft = parse_int(limits.substr(0, colon));
  auto hard = colon == std::string::npos ? soft : parse_int(limits.substr(colon + 1));
  if (!soft || !hard) return fail(Code::InvalidArgument, "{}: \"{}\" is not NAME=SOFT[:HARD]", key, word);
  return UlimitSetting{name, *soft, *hard};
}

/// "base=10.0.0.0/16,size=24".
Result<PoolSetting> parse_pool(const std::string& word, const char* key) {
  PoolSetting out;
  for (const auto& piece : split(word, ',')) {
    auto [name, value] = TRY(parse_pair(piece, key));
    if (name == "base") {
      out.base = value;
    } else if (auto size = parse_int(value); name == "size" && size) {
      out.size = *size;
    } else {
      return fail(Code::InvalidArgument, "{}: \"{}\" is not base=CIDR,size=BITS", key, word);
    }
  }
  return out;
}

struct WordReader {
  const char* key;
  const std::vector<std::string>& words;
  const std::string& last() const { return words.back(); }

  Result<void> operator()(bool& out) const {
    out = TRY(parse_bool(last(), key));
    return {};
  }
  Result<void> operator()(int64_t& out) const {
    auto number = parse_int(last());
    if (!number) return fail(Code::InvalidArgument, "{}: \"{}\" is not a number", key, last());
    out = *number;
    return {};
  }
  Result<void> operator()(std::string& out) const {
    out = last();
    return {};
  }
  Result<void> operator()(Texts& out) const {
    out = words;
    return {};
  }
  Result<void> operator()(TextMap& out) const {
    out.clear();
    for (const auto& word : words) out.insert(TRY(parse_pair(word, key)));
    return {};
  }
  Result<void> operator()(SwitchMap& out) const {
    out.clear();
    for (const auto& word : words) {
      auto [name, value] = TRY(parse_pair(word, key));
      out[name] = TRY(parse_bool(value, key));
    }
    return {};
  }
  Result<void> operator()(ByteSize& out) const {
    out.bytes = TRY_CONTEXT(codec::parse_size(last()), key);
    return {};
  }
  Result<void> operator()(UlimitMap& out) const {
    out.clear();
    for (const auto& word : words) {
      auto limit = TRY(parse_ulimit(word, key));
      out[limit.name] = limit;
    }
    return {};
  }
  Result<void> operator()(Pools& out) const {
    out.clear();
    for (const auto& word : words) out.push_back(TRY(parse_pool(word, key)));
    return {};
  }
  /// "bridge=com.docker.network.driver.mtu=1450"
  Result<void> operator()(NetworkDefaults& out) const {
    out.clear();
    for (const auto& word : words) {
      auto [driver, option] = TRY(parse_pair(word, key));
      out[driver].insert(TRY(parse_pair(option, key)));
    }
    return {};
  }
};

struct UlimitBody {
  std::string name;
  int64_t soft = 0, hard = 0;
};
BOOST_DESCRIBE_STRUCT(UlimitBody, (), (name, soft, hard))
struct PoolBody {
  std::string base;
  int64_t size = 0;
};
BOOST_DESCRIBE_STRUCT(PoolBody, (), (base, size))
codec::JsonStyle json_style(const PoolBody*) {
  return {codec::Naming::Snake, codec::Emit::All, {}};
}

struct JsonReader {
  const char* key;
  const json::value& value;

  template <typename T>
  Result<void> operator()(T& out) const {
    return codec::read_json(value, out, key);
  }
  Result<void> operator()(ByteSize& out) const {
    if (const auto* text = value.if_string()) {
      out.bytes = TRY_CONTEXT(codec::parse_size(std::string_view(*text)), key);
      return {};
    }
    return codec::read_json(value, out.bytes, key);
  }
  Result<void> operator()(UlimitMap& out) const {
    std::map<std::string, UlimitBody> bodies;
    TRY(codec::read_json(value, bodies, key));
    out.clear();
    for (const auto& [name, body] : bodies) {
      if (!body.name.empty() && body.name != name) {
        return fail(Code::InvalidArgument, "{}: \"{}\" is named \"{}\" inside", key, name, body.name);
      }
      out[name] = {name, body.soft, body.hard};
    }
    return {};
  }
  Result<void> operator()(Pools& out) const {
    std::vector<PoolBody> bodies;
    TRY(codec::read_json(value, bodies, key));
    out.clear();
    for (const auto& body : bodies) out.push_back({body.base, body.size});
    return {};
  }
};

bool is_possible(const char* only, const std::string& value) {
  for (const auto& word : split(only, ',')) {
    if (word == value) return true;
  }
  return false;
}

/// The single values of a member, to be compared with what is possible.
struct SpellValues {
  std::vector<std::string> operator()(bool value) const { return {value ? "true" : "false"}; }
  std::vector<std::string> operator()(const std::string& value) const { return {value}; }
  std::vector<std::string> operator()(const Texts& values) const { return values; }
  std::vector<std::string> operator()(const SwitchMap& values) const {
    std::vector<std::string> out;
    for (const auto& [name, on] : values) out.push_back(on ? "true" : "false");
    return out;
  }
  template <typename T>
  std::vector<std::string> operator()(const T&) const {
    return {};
  }
};

template <typename Reader>
Result<void> assign(const Directive& row, const Reader& reader, Settings& settings) {
  return std::visit(
      [&](auto member) -> Result<void> {
        if constexpr (std::is_same_v<decltype(member), std::monostate>) {
          return fail(Code::NotImplemented, "\"{}\" is not supported: {}", row.key, row.help);
        } else {
          TRY(reader(settings.*member));
          if (*row.only == '\0') return {};
          for (const auto& value : SpellValues()(settings.*member)) {
            if (is_possible(row.only, value)) continue;
            return fail(Code::InvalidArgument, "\"{}\" cannot be {} here (possible: {}): {}", row.key, value, row.only,
                        row.help);
          }
          return {};
        }
      },
      row.member);
}

}  // namespace

Result<void> assign_words(const Directive& row, const std::vector<std::string>& words, Settings& settings) {
  return assign(row, WordReader{row.key, words}, settings);
}

Result<void> assign_json(const Directive& row, const json::value& value, Settings& settings) {
  if (value.is_null()) return {};  // as Go reads it: nothing was said
  return assign(row, JsonReader{row.key, value}, settings);
}

std::string format_plain(const json::value& value) {
  std::vector<std::string> pieces;
  if (const auto* array = value.if_array()) {
    for (const auto& item : *array) pieces.push_back(format_plain(item));
    return "[" + join(pieces, " ") + "]";
  }
  if (const auto* object = value.if_object()) {
    for (const auto& item : *object) pieces.push_back(std::string(item.key()) + ":" + format_plain(item.value()));
    return "map[" + join(pieces, " ") + "]";
  }
  if (const auto* text = value.if_string()) return std::string(*text);
  return codec::format_json(value);
}

}  // namespace sampan::daemon
