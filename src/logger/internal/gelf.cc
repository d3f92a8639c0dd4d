#include "logger/internal/gelf.h"

#include <sys/random.h>
#include <zlib.h>

#include <array>

#include "base/strings.h"
#include "logger/internal/channel.h"

namespace sampan::logger {

namespace {

constexpr size_t kMaxDatagram = 1420, kChunkHeader = 12, kMaxChunks = 128, kIdBytes = 8;
constexpr int kErrorLevel = 3, kInfoLevel = 6;

/// How many bytes the character at the front has; 0: it is none.
size_t utf8_length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  size_t length = first < 0x80 ? 1 : first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (first > 0xf4 || length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, beyond U+10FFFF.
  if (length == 3 && ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0))) return 0;
  if (length == 4 && ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90))) return 0;
  return length;
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ',';
  out += quote_json(name) + ":" + quote_json(value);
}

std::string make_id() {
  std::string id(kIdBytes, '\0');
  (void)!::getrandom(id.data(), id.size(), GRND_NONBLOCK);
  return id;
}

struct GelfOptions {
  std::string host, extra;
  GelfCompression compression = GelfCompression::Gzip;
  int level = 1;
  RetryPlan retry;
};

class Gelf final : public Receiver {
 public:
  Gelf(logs::Endpoint endpoint, GelfOptions options) : endpoint_(std::move(endpoint)), options_(std::move(options)) {}

  Result<void> connect() override {
    channel_.reset();
    auto channel = dial(endpoint_);
    if (!channel)
      return fail(Code::Unavailable, "gelf: cannot connect to GELF endpoint: {}:{} {}", endpoint_.host, endpoint_.port,
                  channel.error().message());
    channel_ = std::move(*channel);
    return {};
  }

  Result<void> send(std::span<const ForwardedEntry> entries) override {
    if (!channel_) return fail(Code::Unavailable, "not connected");
    std::string stream;
    for (const auto& entry : entries) {
      if (entry.text.empty()) continue;
      std::string message = format_gelf(options_.host, entry, options_.extra);
      if (endpoint_.scheme == "tcp")
        stream.append(message).push_back('\0');
      else
        TRY(send_datagrams(message));
    }
    return stream.empty() ? Result<void>() : channel_->write(stream);
  }

  RetryPlan retry() const override { return options_.retry; }

 private:
  Result<void> send_datagrams(std::string_view message) {
    std::string packed = TRY(compress_gelf(message, options_.compression, options_.level));
    for (const auto& datagram : split_gelf(packed, make_id())) TRY(channel_->write(datagram));
    return {};
  }

  logs::Endpoint endpoint_;
  GelfOptions options_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace

std::string quote_json(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    size_t length = utf8_length(text);
    char c = text[0];
    if (length == 0)
      out += "\\ufffd";
    else if (c == '"' || c == '\\')
      out.append("\\").push_back(c);
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", c);
    else
      out += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out + '"';
}

std::string format_gelf_extra(const ForwardHello& hello) {
  std::string out;
  for (const char* name : {"container_id", "container_name", "image_id", "image_name", "command", "tag", "created"}) {
    append_member(out, std::string("_") + name, setting(hello, name));
  }
  for (const auto& [name, value] : hello.attributes) {
    append_member(out, name.starts_with('_') ? name : "_" + name, value);
  }
  return out;
}

std::string format_gelf(const std::string& host, const ForwardedEntry& entry, std::string_view extra) {
  int64_t ms = entry.time.unix_nanos / 1'000'000;
  return fmt::format(R"({{"version":"1.1","host":{},"short_message":{},"timestamp":{}.{:03},"level":{},{}}})",
                     quote_json(host), quote_json(entry.text), ms / 1000, ms % 1000,
                     entry.stream == logs::Stream::Stderr ? kErrorLevel : kInfoLevel, extra);
}

Result<std::string> compress_gelf(std::string_view message, GelfCompression compression, int level) {
  if (compression == GelfCompression::None) return std::string(message);
  constexpr int kWindow = 15, kGzip = 16, kMemory = 8;
  z_stream stream{};
  int window = kWindow + (compression == GelfCompression::Gzip ? kGzip : 0);
  if (::deflateInit2(&stream, level, Z_DEFLATED, window, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    return fail(Code::Internal, "gelf: cannot compress");
  std::string out(::deflateBound(&stream, message.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  stream.avail_in = static_cast<uInt>(message.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  int result = ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (result != Z_STREAM_END) return fail(Code::Internal, "gelf: cannot compress");
  return out;
}

std::vector<std::string> split_gelf(std::string_view message, std::string_view id) {
  if (message.size() <= kMaxDatagram) return {std::string(message)};
  constexpr size_t kBody = kMaxDatagram - kChunkHeader;
  size_t count = (message.size() + kBody - 1) / kBody;
  if (count > kMaxChunks) return {};
  std::vector<std::string> out;
  for (size_t i = 0; i < count; ++i) {
    std::string chunk = "\x1e\x0f";
    chunk.append(id.substr(0, kIdBytes));
    chunk.push_back(static_cast<char>(i));
    chunk.push_back(static_cast<char>(count));
    out.push_back(chunk.append(message.substr(i * kBody, kBody)));
  }
  return out;
}

Result<std::unique_ptr<Receiver>> make_gelf(const ForwardHello& hello) {
  auto endpoint = TRY(logs::parse_gelf_address(setting(hello, "gelf-address")));
  GelfOptions options{.host = host_name(), .extra = format_gelf_extra(hello)};
  std::string type = setting(hello, "gelf-compression-type");
  if (type == "none") options.compression = GelfCompression::None;
  if (type == "zlib") options.compression = GelfCompression::Zlib;
  if (auto level = parse_int(setting(hello, "gelf-compression-level"))) options.level = static_cast<int>(*level);
  if (endpoint.scheme == "tcp") {  // Docker's writer gives a message up after so many attempts
    auto attempts = parse_int(setting(hello, "gelf-tcp-max-reconnect"));
    auto seconds = parse_int(setting(hello, "gelf-tcp-reconnect-delay"));
    auto pause = std::chrono::milliseconds(1000 * seconds.value_or(1));
    options.retry = {.first = pause, .longest = pause, .growth = 1, .attempts = attempts.value_or(3)};
  }
  return std::unique_ptr<Receiver>(std::make_unique<Gelf>(std::move(endpoint), std::move(options)));
}

}  // namespace sampan::logger
