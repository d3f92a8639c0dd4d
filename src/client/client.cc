#include "client/client.h"

#include <mutex>

#include "base/strings.h"
#include "client/internal/connection.h"
#include "codec/json.h"

namespace sampan::client {

namespace {

Code code_of_status(int status) {
  switch (status) {
    case 400:
      return Code::InvalidArgument;
    case 401:
      return Code::Unauthenticated;
    case 403:
      return Code::PermissionDenied;
    case 404:
      return Code::NotFound;
    case 409:
      return Code::Conflict;
    case 501:
      return Code::NotImplemented;
    case 503:
      return Code::Unavailable;
    default:
      return Code::Internal;
  }
}

Result<void> collect_body(Exchange& exchange, const std::function<Result<void>(std::string_view)>& chunk) {
  std::vector<char> buffer(64 << 10);
  while (size_t count = TRY(exchange.read(buffer))) TRY(chunk(std::string_view(buffer.data(), count)));
  return {};
}

class SocketClient final : public Client {
 public:
  SocketClient(std::string host, ClientOptions options) : host_(std::move(host)), options_(std::move(options)) {}

  Result<Response> call(const std::string& method, const std::string& path, const CallOptions& options) override {
    return stream(method, path, options, nullptr);
  }

  Result<Response> stream(const std::string& method, const std::string& path, const CallOptions& options,
                          const std::function<Result<void>(std::string_view)>& chunk) override {
    auto exchange = TRY(begin(method, path, options));
    Response response = exchange->head();
    bool hand_over = chunk && response.status >= 200 && response.status < 300;
    TRY(collect_body(*exchange, [&](std::string_view bytes) -> Result<void> {
      if (hand_over) return chunk(bytes);
      response.body += bytes;
      return {};
    }));
    return response;
  }

  Result<std::unique_ptr<Exchange>> begin(const std::string& method, const std::string& path,
                                          const CallOptions& options) override {
    auto exchange = TRY(begin_versioned(method, path, options, {}));
    return std::unique_ptr<Exchange>(std::move(exchange));
  }

  Result<Upgraded> hijack(const std::string& method, const std::string& path, const CallOptions& options) override {
    auto connection = TRY(begin_versioned(method, path, options, {{"Connection", "Upgrade"}, {"Upgrade", "tcp"}}));
    Response head = connection->head();
    // Daemons before the upgrade header answered 200 and then spoke raw bytes, too.
    if (head.status != 101 && head.status != 200) {
      TRY(collect_body(*connection, [&](std::string_view bytes) -> Result<void> {
        head.body += bytes;
        return {};
      }));
      return response_error(head);
    }
    return Upgraded{connection->release_socket(), connection->take_leftover(), head.header("Content-Type")};
  }

 private:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  std::string version() {
    std::lock_guard lock(mutex_);
    return options_.api_version;
  }

  Result<std::unique_ptr<Connection>> begin_once(const std::string& method, const std::string& path,
                                                 const CallOptions& options, const Headers& extra) {
    std::string version = this->version();
    bool as_is = version.empty() || path.starts_with("/_ping") || path.starts_with("/v1.");
    RequestHead head{method, as_is ? path : "/v" + version + path, {}};
    head.headers = {{"Host", "api.sampan.localhost"}, {"User-Agent", "sampan/" SAMPAN_VERSION}};
    head.headers.insert(head.headers.end(), options_.headers.begin(), options_.headers.end());
    head.headers.insert(head.headers.end(), options.headers.begin(), options.headers.end());
    if (extra.empty()) head.headers.emplace_back("Connection", "close");
    head.headers.insert(head.headers.end(), extra.begin(), extra.end());
    if (options.body_source) {
      head.headers.emplace_back("Transfer-Encoding", "chunked");
    } else if (!options.body.empty() || method == "POST" || method == "PUT") {
      head.headers.emplace_back("Content-Length", std::to_string(options.body.size()));
    }
    auto connection = std::make_unique<Connection>(TRY(connect_socket(host_)));
    TRY(connection->start(head, options.body, options.body_source));
    return connection;
  }

  // A refusal for the version is answered by asking again with the version that the daemon named. A streamed body
  // cannot be sent twice, so the version is then made sure of beforehand.
  Result<std::unique_ptr<Connection>> begin_versioned(const std::string& method, const std::string& path,
                                                      const CallOptions& options, const Headers& extra) {
    if (options.body_source && !version().empty()) {
      auto probe = TRY(begin_once("GET", "/version", {}, {}));
      (void)TRY(lower_version(*probe));
      return begin_once(method, path, options, extra);
    }
    auto connection = TRY(begin_once(method, path, options, extra));
    if (version().empty() || !TRY(lower_version(*connection))) return connection;
    return begin_once(method, path, options, extra);
  }

  // True when the answer was "too new" and the version has been lowered. Any other answer stays readable.
  Result<bool> lower_version(Connection& connection) {
    if (connection.head().status != 400) return false;
    Response response = connection.head();
    response.body = TRY(connection.buffer_body());
    constexpr std::string_view kMark = "Maximum supported API version is ";
    std::string message = error_message(response);
    size_t at = message.find(kMark);
    if (at == std::string::npos) return false;
    std::string found = message.substr(at + kMark.size());
    found.resize(std::min(found.size(), found.find_first_not_of("0123456789.")));
    std::lock_guard lock(mutex_);
    options_.api_version = found;
    return true;
  }

  std::string host_;
  std::mutex mutex_;
  ClientOptions options_;
};

}  // namespace

std::string Response::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (to_lower(key) == to_lower(name)) return value;
  }
  return {};
}

std::string error_message(const Response& response) {
  auto value = codec::parse_json(response.body);
  if (value && value->is_object()) {
    if (const auto* message = value->get_object().if_contains("message"); message && message->is_string()) {
      return std::string(message->get_string());
    }
  }
  std::string text(trim(response.body));
  if (!text.empty() && text.size() < 4096) return text;
  return fmt::format("request returned HTTP status {}", response.status);
}

Error response_error(const Response& response) {
  return Error(code_of_status(response.status), "Error response from daemon: " + error_message(response));
}

Result<std::unique_ptr<Client>> open_client(const std::string& host, const ClientOptions& options) {
  if (!host.starts_with("unix://") && !host.starts_with("tcp://")) {
    return fail(Code::InvalidArgument, "unable to parse docker host `{}`", host);
  }
  return std::unique_ptr<Client>(std::make_unique<SocketClient>(host, options));
}

}  // namespace sampan::client
