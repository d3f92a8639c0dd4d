// The org.systemd.property.* annotations.
#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "cgroup/internal/unit_properties.h"

namespace sampan::cgroup::internal {
namespace {

constexpr std::string_view kPrefix = "org.systemd.property.";

// Annotations may come from whoever made the image: what they may set is how the scope ends, what it depends on and
// more limits, and never what the runtime itself decides (PIDs, Slice, Delegate, device policy) or a command.
constexpr std::string_view kAllowed[] = {"After",
                                         "Before",
                                         "BindsTo",
                                         "CollectMode",
                                         "Conflicts",
                                         "CPUQuotaPerSecUSec",
                                         "CPUWeight",
                                         "DefaultDependencies",
                                         "Description",
                                         "FinalKillSignal",
                                         "IOWeight",
                                         "JobTimeoutUSec",
                                         "KillMode",
                                         "KillSignal",
                                         "ManagedOOMMemoryPressure",
                                         "ManagedOOMMemoryPressureLimit",
                                         "ManagedOOMPreference",
                                         "ManagedOOMSwap",
                                         "MemoryHigh",
                                         "MemoryLow",
                                         "MemoryMax",
                                         "MemoryMin",
                                         "MemorySwapMax",
                                         "OOMPolicy",
                                         "PartOf",
                                         "Requires",
                                         "RestartKillSignal",
                                         "RuntimeMaxUSec",
                                         "RuntimeRandomizedExtraUSec",
                                         "SendSIGHUP",
                                         "SendSIGKILL",
                                         "StartupCPUWeight",
                                         "StartupIOWeight",
                                         "TasksMax",
                                         "TimeoutStopUSec",
                                         "Wants"};

std::optional<std::string> unquoted(std::string_view text) {
  if (text.size() < 2 || (text[0] != '\'' && text[0] != '"') || text.back() != text[0]) return std::nullopt;
  std::string out;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == text[0]) return std::nullopt;
    if (text[i] == '\\' && ++i + 1 == text.size()) return std::nullopt;
    out += text[i];
  }
  return out;
}

std::optional<std::vector<std::string>> string_list(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  std::vector<std::string> out;
  text = trim(text.substr(1, text.size() - 2));
  if (text.empty()) return out;
  for (const auto& part : split(text, ',')) {  // unit names have no comma
    auto one = unquoted(trim(part));
    if (!one) return std::nullopt;
    out.push_back(std::move(*one));
  }
  return out;
}

/// "int32 5", "uint64 5", or a bare number, which is an int32 as in GVariant's text.
std::optional<PropertyValue> number(std::string_view text) {
  std::string_view type = "int32";
  if (auto pair = split_once(text, ' ')) {
    type = pair->first;
    text = trim(pair->second);
  }
  auto whole = parse_int(text);
  auto natural = parse_uint(text);
  if (type == "uint64" && natural) return PropertyValue(*natural);
  if (type == "int64" && whole) return PropertyValue(int64_t{*whole});
  if (type == "uint32" && natural && *natural <= UINT32_MAX) return PropertyValue(static_cast<uint32_t>(*natural));
  if (type == "int32" && whole && *whole >= INT32_MIN && *whole <= INT32_MAX)
    return PropertyValue(static_cast<int32_t>(*whole));
  return std::nullopt;
}

std::optional<PropertyValue> typed(std::string_view text) {
  if (text == "true" || text == "false") return PropertyValue(text == "true");
  if (auto one = unquoted(text)) return PropertyValue(std::move(*one));
  if (auto list = string_list(text)) return PropertyValue(std::move(*list));
  return number(text);
}

/// Seconds, whole or with a fraction, of any number type.
std::optional<PropertyValue> microseconds(std::string_view text) {
  if (auto pair = split_once(text, ' ')) text = trim(pair->second);
  double seconds = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || !(seconds >= 0) || seconds > 1e12)
    return std::nullopt;
  return PropertyValue(static_cast<uint64_t>(seconds * 1e6));
}

bool in_seconds(std::string_view name) {
  return name.size() > 3 && name.ends_with("Sec") && name[name.size() - 4] >= 'a' && name[name.size() - 4] <= 'z';
}

}  // namespace

Result<std::vector<UnitProperty>> annotation_properties(const std::map<std::string, std::string>& annotations) {
  std::vector<UnitProperty> out;
  for (const auto& [key, text] : annotations) {
    if (!key.starts_with(kPrefix)) continue;
    std::string name = key.substr(kPrefix.size());
    bool seconds = in_seconds(name);
    if (seconds) name = name.substr(0, name.size() - 3) + "USec";
    if (std::find(std::begin(kAllowed), std::end(kAllowed), name) == std::end(kAllowed))
      return fail(Code::InvalidArgument, "annotation {}: this property cannot be set", key);
    auto value = seconds ? microseconds(trim(text)) : typed(trim(text));
    if (!value) return fail(Code::InvalidArgument, "annotation {}={} value parse error", key, text);
    out.push_back({name, std::move(*value)});
  }
  return out;
}

}  // namespace sampan::cgroup::internal
