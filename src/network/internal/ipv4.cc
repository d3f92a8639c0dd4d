#include "network/internal/ipv4.h"

#include "base/strings.h"

namespace sampan::network {

std::optional<Ipv4> parse_ipv4(std::string_view text) {
  auto pieces = split(text, '.');
  if (pieces.size() != 4) return std::nullopt;
  Ipv4 out = 0;
  for (const auto& piece : pieces) {
    auto number = parse_uint(piece);
    if (!number || *number > 255 || piece.size() > 3) return std::nullopt;
    out = out << 8 | static_cast<Ipv4>(*number);
  }
  return out;
}

std::string format_ipv4(Ipv4 address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

Result<Prefix> parse_prefix(std::string_view text) {
  auto halves = split_once(text, '/');
  auto address = halves ? parse_ipv4(halves->first) : std::nullopt;
  auto length = halves ? parse_uint(halves->second) : std::nullopt;
  if (!address || !length || *length > 32) return fail(Code::InvalidArgument, "invalid CIDR address: {}", text);
  Prefix prefix{0, static_cast<int>(*length)};
  prefix.network = *address & prefix.mask();
  return prefix;
}

std::string format_prefix(const Prefix& prefix) {
  return fmt::format("{}/{}", format_ipv4(prefix.network), prefix.length);
}

std::string mac_of(Ipv4 address) {
  return fmt::format("02:42:{:02x}:{:02x}:{:02x}:{:02x}", address >> 24, address >> 16 & 255, address >> 8 & 255,
                     address & 255);
}

Result<std::string> parse_mac(std::string_view text) {
  std::string out = to_lower(text);
  bool good = out.size() == 17;
  for (size_t i = 0; good && i < out.size(); ++i) {
    if (i % 3 == 2) {
      good = out[i] == ':' || out[i] == '-';
      out[i] = ':';
    } else {
      good = std::isxdigit(static_cast<unsigned char>(out[i])) != 0;
    }
  }
  if (!good) return fail(Code::InvalidArgument, "invalid MAC address: {}", text);
  return out;
}

}  // namespace sampan::network
