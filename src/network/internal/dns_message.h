#pragma once
// network/dns_message: the little of RFC 1035 that a forwarding name server must understand. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/internal/ipv4.h"

namespace sampan::network {

enum class DnsType : uint16_t { A = 1, Ptr = 12, Aaaa = 28, Any = 255 };
enum class DnsResult : uint8_t { Ok = 0, FormatError = 1, ServerFailure = 2, NoSuchName = 3, Refused = 5 };

struct DnsQuestion {
  uint16_t id = 0, type = 0, klass = 0;
  std::string name;  // lower-case, without the final dot
  size_t end = 0;    // of the question section
};

/// A standard query with one question; nullopt for everything else. The bytes are hostile.
std::optional<DnsQuestion> parse_question(std::string_view message);
/// "4.3.2.1.in-addr.arpa" -> 1.2.3.4.
std::optional<Ipv4> parse_reverse_name(std::string_view name);

/// Answers to `query`, whose question section ends at `question_end`.
std::string format_dns_addresses(std::string_view query, size_t question_end, const std::vector<Ipv4>& addresses);
std::string format_dns_pointer(std::string_view query, size_t question_end, std::string_view name);
std::string format_dns_result(std::string_view query, size_t question_end, DnsResult result);

/// True when `answer` is an answer to the question of `query` under the id.
bool is_dns_answer(std::string_view query, size_t question_end, uint16_t id, std::string_view answer);
DnsResult dns_result_of(std::string_view answer);
void set_dns_id(std::string& message, uint16_t id);

}  // namespace sampan::network
