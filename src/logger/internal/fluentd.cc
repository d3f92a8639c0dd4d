#include "logger/internal/fluentd.h"

#include <sys/random.h>

#include <array>

#include "base/strings.h"
#include "logger/internal/channel.h"

namespace sampan::logger {

namespace {

constexpr auto kAckPatience = std::chrono::seconds(30);

void append_number(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

std::string make_chunk_id() {
  std::array<char, 16> bytes{};
  (void)!::getrandom(bytes.data(), bytes.size(), GRND_NONBLOCK);
  return codec::format_base64({bytes.data(), bytes.size()});
}

void pack_time(std::string& out, codec::Time time, bool sub_seconds) {
  auto nanos = static_cast<uint64_t>(time.unix_nanos);
  constexpr uint64_t kSecond = 1'000'000'000;
  if (!sub_seconds) return pack_uint(out, nanos / kSecond);
  out += "\xd7";  // an extension of eight bytes, type 0: EventTime
  out.push_back('\0');
  append_number(out, nanos / kSecond, 4);
  append_number(out, nanos % kSecond, 4);
}

class Fluentd final : public Receiver {
 public:
  Fluentd(logs::Endpoint endpoint, FluentdStyle style, RetryPlan plan, bool ack)
      : endpoint_(std::move(endpoint)), style_(std::move(style)), plan_(plan), ack_(ack) {}

  Result<void> connect() override {
    channel_.reset();
    channel_ = TRY(dial(endpoint_));
    return {};
  }

  Result<void> send(std::span<const ForwardedEntry> entries) override {
    if (!channel_) return fail(Code::Unavailable, "not connected");
    std::string bytes;
    for (const auto& entry : entries) {
      std::string chunk = ack_ ? make_chunk_id() : "";
      bytes += format_fluentd(style_, entry, chunk);
      if (!ack_) continue;
      TRY(channel_->write(bytes));
      TRY(await_ack(chunk));
      bytes.clear();
    }
    return bytes.empty() ? Result<void>() : channel_->write(bytes);
  }

  RetryPlan retry() const override { return plan_; }
  bool must_connect() const override { return plan_.waits; }

 private:
  Result<void> await_ack(std::string_view chunk) {
    std::string answer;
    std::array<char, 256> piece;
    while (answer.size() < piece.size()) {
      size_t got = TRY(channel_->read(piece, kAckPatience));
      answer.append(piece.data(), got);
      if (is_fluentd_ack(answer, chunk)) return {};
    }
    return fail(Code::Unavailable, "fluentd: the server acknowledges something else");
  }

  logs::Endpoint endpoint_;
  FluentdStyle style_;
  RetryPlan plan_;
  bool ack_;
  std::unique_ptr<Channel> channel_;
};

bool is_set(const ForwardHello& hello, const char* name) {
  return logs::parse_go_bool(setting(hello, name)).value_or(false);
}

}  // namespace

void pack_array(std::string& out, uint8_t size) {
  out.push_back(static_cast<char>(0x90 | size));
}

void pack_map(std::string& out, uint32_t size) {
  if (size < 16) return out.push_back(static_cast<char>(0x80 | size));
  out += size < 65536 ? "\xde" : "\xdf";
  append_number(out, size, size < 65536 ? 2 : 4);
}

void pack_string(std::string& out, std::string_view text) {
  size_t size = text.size();
  if (size < 32) {
    out.push_back(static_cast<char>(0xa0 | size));
  } else {
    int bytes = size < 256 ? 1 : size < 65536 ? 2 : 4;
    out += bytes == 1 ? "\xd9" : bytes == 2 ? "\xda" : "\xdb";
    append_number(out, size, bytes);
  }
  out += text;
}

void pack_uint(std::string& out, uint64_t value) {
  if (value < 128) return out.push_back(static_cast<char>(value));
  int bytes = value < 256 ? 1 : value < 65536 ? 2 : value <= UINT32_MAX ? 4 : 8;
  out += bytes == 1 ? "\xcc" : bytes == 2 ? "\xcd" : bytes == 4 ? "\xce" : "\xcf";
  append_number(out, value, bytes);
}

std::string format_fluentd(const FluentdStyle& style, const ForwardedEntry& entry, std::string_view chunk) {
  std::map<std::string, std::string> record{{"container_id", style.container_id},
                                            {"container_name", style.container_name},
                                            {"log", entry.text},
                                            {"source", entry.stream == logs::Stream::Stderr ? "stderr" : "stdout"}};
  for (const auto& [name, value] : style.attributes) record[name] = value;
  if (entry.partial) {
    record["partial_message"] = "true";
    record["partial_id"] = entry.partial_id;
    record["partial_ordinal"] = std::to_string(entry.ordinal);
    record["partial_last"] = entry.last ? "true" : "false";
  }
  std::string out;
  pack_array(out, 4);
  pack_string(out, style.tag);
  pack_time(out, entry.time, style.sub_seconds);
  pack_map(out, static_cast<uint32_t>(record.size()));
  for (const auto& [name, value] : record) {
    pack_string(out, name);
    pack_string(out, value);
  }
  pack_map(out, chunk.empty() ? 0 : 1);
  if (chunk.empty()) return out;
  pack_string(out, "chunk");
  pack_string(out, chunk);
  return out;
}

bool is_fluentd_ack(std::string_view answer, std::string_view chunk) {
  std::string expected;
  pack_map(expected, 1);
  pack_string(expected, "ack");
  pack_string(expected, chunk);
  if (answer == expected) return true;
  // A string may also be written longer than it needs.
  return answer.starts_with(
             "\x81\xa3"
             "ack\xd9") &&
         answer.size() == 7 + chunk.size() && answer.ends_with(chunk);
}

Result<std::unique_ptr<Receiver>> make_fluentd(const ForwardHello& hello) {
  auto endpoint = TRY(logs::parse_fluentd_address(setting(hello, "fluentd-address")));
  FluentdStyle style{.tag = setting(hello, "tag"),
                     .container_id = setting(hello, "container_id"),
                     .container_name = "/" + setting(hello, "container_name"),
                     .attributes = hello.attributes,
                     .sub_seconds = is_set(hello, "fluentd-sub-second-precision")};
  bool async = is_set(hello, "fluentd-async") || is_set(hello, "fluentd-async-connect");
  RetryPlan plan{.first = std::chrono::seconds(1), .longest = std::chrono::seconds(60), .growth = 1.5, .waits = !async};
  if (auto wait = codec::parse_go_duration(setting(hello, "fluentd-retry-wait")))
    plan.first = std::max(std::chrono::milliseconds(1), std::chrono::milliseconds(*wait / 1'000'000));
  if (auto most = parse_int(setting(hello, "fluentd-max-retries"))) plan.attempts = *most;
  return std::unique_ptr<Receiver>(
      std::make_unique<Fluentd>(std::move(endpoint), std::move(style), plan, is_set(hello, "fluentd-request-ack")));
}

}  // namespace sampan::logger
