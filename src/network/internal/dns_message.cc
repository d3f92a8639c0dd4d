#include "network/internal/dns_message.h"

#include <cctype>

#include "base/strings.h"

namespace sampan::network {

namespace {

constexpr size_t kHeader = 12;
constexpr uint32_t kTtlSeconds = 5;  // containers come and go
constexpr size_t kMaxName = 255, kMaxLabel = 63;

uint16_t get16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 | static_cast<uint8_t>(bytes[at + 1]));
}

void put16(std::string& out, uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value & 0xff));
}

void put32(std::string& out, uint32_t value) {
  put16(out, static_cast<uint16_t>(value >> 16));
  put16(out, static_cast<uint16_t>(value & 0xffff));
}

/// Header and question of an answer: QR, the query's opcode and RD, RA.
std::string begin_answer(std::string_view query, size_t question_end, DnsResult result, size_t answers) {
  std::string out(query.substr(0, question_end));
  out[2] = static_cast<char>(0x80 | (query[2] & 0x79));
  out[3] = static_cast<char>(0x80 | static_cast<uint8_t>(result));
  out[4] = 0;
  out[5] = question_end > kHeader ? 1 : 0;
  out[6] = static_cast<char>(answers >> 8);
  out[7] = static_cast<char>(answers & 0xff);
  out.replace(8, 4, 4, '\0');
  return out;
}

void begin_record(std::string& out, DnsType type, size_t length) {
  put16(out, 0xc000 | kHeader);  // the question's name
  put16(out, static_cast<uint16_t>(type));
  put16(out, 1);
  put32(out, kTtlSeconds);
  put16(out, static_cast<uint16_t>(length));
}

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

}  // namespace

std::optional<DnsQuestion> parse_question(std::string_view message) {
  if (message.size() < kHeader || (message[2] & 0xf8) != 0 || get16(message, 4) != 1) return std::nullopt;
  DnsQuestion question;
  question.id = get16(message, 0);
  size_t at = kHeader;
  for (;;) {
    if (at >= message.size()) return std::nullopt;
    size_t length = static_cast<uint8_t>(message[at++]);
    if (length == 0) break;
    // Longer "lengths" are compression pointers, which a question has no use for.
    if (length > kMaxLabel || at + length > message.size()) return std::nullopt;
    if (!question.name.empty()) question.name.push_back('.');
    for (char c : message.substr(at, length)) question.name.push_back(lower(c));
    if (question.name.size() > kMaxName) return std::nullopt;
    at += length;
  }
  if (at + 4 > message.size()) return std::nullopt;
  question.type = get16(message, at);
  question.klass = get16(message, at + 2);
  question.end = at + 4;
  return question;
}

std::optional<Ipv4> parse_reverse_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".in-addr.arpa";
  if (!name.ends_with(kSuffix)) return std::nullopt;
  auto reversed = parse_ipv4(name.substr(0, name.size() - kSuffix.size()));
  if (!reversed) return std::nullopt;
  return __builtin_bswap32(*reversed);
}

std::string format_dns_addresses(std::string_view query, size_t question_end, const std::vector<Ipv4>& addresses) {
  constexpr size_t kMostInDatagram = 24;  // 512 bytes hold these and any question
  size_t count = std::min(addresses.size(), kMostInDatagram);
  std::string out = begin_answer(query, question_end, DnsResult::Ok, count);
  for (size_t i = 0; i < count; ++i) {
    begin_record(out, DnsType::A, 4);
    put32(out, addresses[i]);
  }
  return out;
}

std::string format_dns_pointer(std::string_view query, size_t question_end, std::string_view name) {
  std::string target;
  for (const auto& label : split(name, '.')) {
    size_t length = std::min(label.size(), kMaxLabel);
    target.push_back(static_cast<char>(length));
    target.append(label, 0, length);
  }
  target.push_back('\0');
  std::string out = begin_answer(query, question_end, DnsResult::Ok, 1);
  begin_record(out, DnsType::Ptr, target.size());
  return out + target;
}

std::string format_dns_result(std::string_view query, size_t question_end, DnsResult result) {
  return begin_answer(query, question_end, result, 0);
}

bool is_dns_answer(std::string_view query, size_t question_end, uint16_t id, std::string_view answer) {
  if (answer.size() < question_end || get16(answer, 0) != id || (answer[2] & 0x80) == 0) return false;
  for (size_t i = kHeader; i < question_end; ++i) {
    if (lower(answer[i]) != lower(query[i])) return false;
  }
  return true;
}

DnsResult dns_result_of(std::string_view answer) {
  return static_cast<DnsResult>(answer[3] & 0x0f);
}

void set_dns_id(std::string& message, uint16_t id) {
  message[0] = static_cast<char>(id >> 8);
  message[1] = static_cast<char>(id & 0xff);
}

}  // namespace sampan::network
