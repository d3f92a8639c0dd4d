#include "logger/internal/journald.h"

#include <algorithm>

#include "logger/internal/channel.h"

namespace sampan::logger {

namespace {

constexpr const char* kSocket = "/run/systemd/journal/socket";
constexpr const char* kErrorPriority = "3";
constexpr const char* kInfoPriority = "6";

class Journald final : public Receiver {
 public:
  explicit Journald(std::string fields) : fields_(std::move(fields)) {}

  Result<void> connect() override {
    channel_.reset();
    auto channel = dial({.scheme = "unixgram", .path = kSocket});
    if (!channel) return fail(Code::Unavailable, "journald is not enabled on this host");
    channel_ = std::move(*channel);
    return {};
  }

  Result<void> send(std::span<const ForwardedEntry> entries) override {
    if (!channel_) return fail(Code::Unavailable, "not connected");
    for (const auto& entry : entries) TRY(channel_->write(format_journal_entry(entry, fields_)));
    return {};
  }

 private:
  std::string fields_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  if (value.find('\n') == std::string_view::npos) {
    out += '=';
  } else {
    out += '\n';
    for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(uint64_t{value.size()} >> shift));
  }
  out.append(value).push_back('\n');
}

std::string journal_name(std::string_view name) {
  std::string out;
  for (char c : name) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
    if (!letter && out.empty()) continue;
    out.push_back(!letter && !digit ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return out;
}

std::string format_journal_fields(const ForwardHello& hello) {
  std::string out, id = setting(hello, "container_id"), tag = setting(hello, "tag");
  append_field(out, "CONTAINER_ID", id.substr(0, 12));
  append_field(out, "CONTAINER_ID_FULL", id);
  append_field(out, "CONTAINER_NAME", setting(hello, "container_name"));
  append_field(out, "CONTAINER_TAG", tag);
  append_field(out, "IMAGE_NAME", setting(hello, "image_name"));
  append_field(out, "SYSLOG_IDENTIFIER", tag);
  for (const auto& [name, value] : hello.attributes) {
    if (std::string field = journal_name(name); !field.empty()) append_field(out, field, value);
  }
  return out;
}

std::string format_journal_entry(const ForwardedEntry& entry, std::string_view fields) {
  std::string out;
  append_field(out, "MESSAGE", entry.text);
  append_field(out, "PRIORITY", entry.stream == logs::Stream::Stderr ? kErrorPriority : kInfoPriority);
  append_field(out, "SYSLOG_TIMESTAMP", codec::format_rfc3339(entry.time));
  out += fields;
  if (!entry.partial) return out;
  if (!entry.last) append_field(out, "CONTAINER_PARTIAL_MESSAGE", "true");
  append_field(out, "CONTAINER_PARTIAL_ID", entry.partial_id);
  append_field(out, "CONTAINER_PARTIAL_ORDINAL", std::to_string(entry.ordinal));
  append_field(out, "CONTAINER_PARTIAL_LAST", entry.last ? "true" : "false");
  return out;
}

Result<std::unique_ptr<Receiver>> make_journald(const ForwardHello& hello) {
  return std::unique_ptr<Receiver>(std::make_unique<Journald>(format_journal_fields(hello)));
}

}  // namespace sampan::logger
