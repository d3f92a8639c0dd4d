#include "registry/internal/transport.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strings.h"

namespace sampan::registry {
namespace {

constexpr int kPollMs = 100;  // how late a cancel may be noticed
constexpr size_t kIdlePerRegistry = 8;
constexpr size_t kIdleTotal = 32;

/// A multi handle owns the connections, an easy handle drives one transfer over them.
struct Line {
  CURLM* multi = curl_multi_init();
  CURL* easy = curl_easy_init();
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() {
    if (easy) curl_easy_cleanup(easy);
    if (multi) curl_multi_cleanup(multi);
  }
};

struct Exchange {
  const Request* request = nullptr;
  CURL* easy = nullptr;
  Response response;
  std::optional<Error> error;
  int64_t uploaded = 0;
  bool refused_address = false;
  char curl_error[CURL_ERROR_SIZE] = {};
};

size_t take_header(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string_view line = trim({data, size});
  if (line.starts_with("HTTP/")) {
    exchange.response.headers.clear();  // an interim answer went before
  } else if (auto parts = split_once(line, ':')) {
    exchange.response.headers.emplace(to_lower(parts->first), std::string(trim(parts->second)));
  }
  return size;
}

size_t take_body(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  long status = 0;
  curl_easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  auto& response = exchange.response;
  if (response.success() && exchange.request->on_body) {
    auto taken = exchange.request->on_body(response, {data, size});
    if (taken) return size;
    exchange.error = std::move(taken).error();
    return CURL_WRITEFUNC_ERROR;
  }
  size_t room = exchange.request->body_limit - std::min(exchange.request->body_limit, response.body.size());
  response.body.append(data, std::min(size, room));
  if (size <= room) return size;
  if (!response.success()) return size;  // an error page is cut, not refused
  exchange.error = make_error(Code::ResourceExhausted, "{}: the answer is larger than {} bytes",
                              exchange.request->url.str(), exchange.request->body_limit);
  return CURL_WRITEFUNC_ERROR;
}

size_t give_body(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  int64_t left = exchange.request->upload_size - exchange.uploaded;
  if (left <= 0) return 0;
  size_t wanted = std::min(size, static_cast<size_t>(left));
  auto got = exchange.request->upload->read({data, wanted});
  if (got && *got == 0) got = fail(Code::DataLoss, "upload ended {} bytes early", left);
  if (!got) {
    exchange.error = std::move(got).error();
    return CURL_READFUNC_ABORT;
  }
  exchange.uploaded += static_cast<int64_t>(*got);
  if (exchange.request->on_uploaded) exchange.request->on_uploaded(exchange.uploaded);
  return *got;
}

/// The last gate before a connection: what a name resolved to decides, not what it looked like.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& exchange = *static_cast<Exchange*>(user);
  char text[INET6_ADDRSTRLEN] = {};
  if (address->family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&address->addr)->sin_addr, text, sizeof text);
  } else if (address->family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(&address->addr)->sin6_addr, text, sizeof text);
  }
  if (classify_address(text) > exchange.request->nearest) {
    exchange.refused_address = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void set_tls(CURL* easy, const Request& request) {
  const TlsOptions& tls = request.tls;
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
  if (!tls.ca_pem.empty()) {
    curl_blob blob{const_cast<char*>(tls.ca_pem.data()), tls.ca_pem.size(), CURL_BLOB_COPY};
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);  // CAPATH stays: the system's authorities
  }
  if (!tls.client_cert.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.client_cert.c_str());
    curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.client_key.c_str());
  }
}

void set_method(CURL* easy, const Request& request, Exchange& exchange) {
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.upload) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(easy, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.upload_size));
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request.body.c_str());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

void set_options(CURL* easy, const std::string& url, const Request& request, Exchange& exchange, curl_slist* headers) {
  curl_easy_reset(easy);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 30L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, request.upload ? 300L : 60L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "docker/28.5.1 sampan/" SAMPAN_VERSION);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange.curl_error);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &exchange);
  // A proxy from the environment is for the world, not for this machine.
  if (is_loopback_host(request.url.host)) curl_easy_setopt(easy, CURLOPT_PROXY, "");
  set_tls(easy, request);
  set_method(easy, request, exchange);
}

/// Runs the transfer; nullopt when it was cancelled.
std::optional<CURLcode> run(Line& line, const Cancel& cancel) {
  curl_multi_add_handle(line.multi, line.easy);
  std::optional<CURLcode> code;
  int running = 1;
  while (running && !cancel.cancelled()) {
    if (curl_multi_perform(line.multi, &running) != CURLM_OK) break;
    if (running) curl_multi_poll(line.multi, nullptr, 0, kPollMs, nullptr);
  }
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(line.multi, &left)) {
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  }
  curl_multi_remove_handle(line.multi, line.easy);
  return code;
}

std::string capitalised(const std::string& method) {
  std::string out = to_lower(method);
  out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  return out;
}

std::string describe(CURLcode code, const Request& request, const Exchange& exchange) {
  const Url& url = request.url;
  long err = 0;
  curl_easy_getinfo(exchange.easy, CURLINFO_OS_ERRNO, &err);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return fmt::format("dial tcp: lookup {}: no such host", url.host);
    case CURLE_COULDNT_CONNECT: {
      std::string reason = err ? to_lower(std::strerror(static_cast<int>(err))) : "connection refused";
      return fmt::format("dial tcp {}:{}: connect: {}", url.host, url.port, reason);
    }
    case CURLE_OPERATION_TIMEDOUT:
      return "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";
    case CURLE_PEER_FAILED_VERIFICATION:
      return fmt::format("tls: failed to verify certificate: x509: {}", exchange.curl_error);
    case CURLE_SSL_CONNECT_ERROR:
      if (std::string_view(exchange.curl_error).find("wrong version number") != std::string_view::npos ||
          std::string_view(exchange.curl_error).find("packet length too long") != std::string_view::npos) {
        return "http: server gave HTTP response to HTTPS client";
      }
      return fmt::format("tls: {}", exchange.curl_error);
    case CURLE_GOT_NOTHING:
      return "EOF";
    case CURLE_PARTIAL_FILE:
      return "unexpected EOF";
    default:
      return exchange.curl_error[0] ? exchange.curl_error : curl_easy_strerror(code);
  }
}

}  // namespace

struct Transport::Pool {
  std::mutex mutex;
  std::map<std::string, std::vector<std::unique_ptr<Line>>> idle;
  size_t count = 0;

  std::unique_ptr<Line> take(const std::string& key) {
    std::lock_guard lock(mutex);
    auto& lines = idle[key];
    if (lines.empty()) return std::make_unique<Line>();
    auto line = std::move(lines.back());
    lines.pop_back();
    --count;
    return line;
  }
  void give(const std::string& key, std::unique_ptr<Line> line) {
    std::lock_guard lock(mutex);
    auto& lines = idle[key];
    if (lines.size() >= kIdlePerRegistry || count >= kIdleTotal) return;
    lines.push_back(std::move(line));
    ++count;
  }
};

Transport::Transport() : pool_(std::make_unique<Pool>()) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)initialised;  // a failure shows as a handle that cannot be made
}
Transport::~Transport() = default;

Result<Response> Transport::exchange(const Request& request, const Cancel& cancel) {
  TRY(cancel.check());
  auto line = pool_->take(request.pool);
  if (!line->easy || !line->multi) return fail(Code::ResourceExhausted, "libcurl cannot make a handle");
  Exchange exchange{.request = &request, .easy = line->easy};
  curl_slist* headers = curl_slist_append(nullptr, "Expect:");
  for (const auto& header : request.headers) headers = curl_slist_append(headers, header.c_str());
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> owned(headers, &curl_slist_free_all);
  const std::string url = request.url.str();
  set_options(line->easy, url, request, exchange, headers);
  auto code = run(*line, cancel);
  if (!code) {
    TRY(cancel.check());
    return fail(Code::Unavailable, "{} \"{}\": transfer failed", capitalised(request.method), url);
  }
  if (exchange.error) return std::move(*exchange.error);
  if (exchange.refused_address) {
    return fail(Code::PermissionDenied, "{} \"{}\": the server points at an address inside this network",
                capitalised(request.method), url);
  }
  if (*code != CURLE_OK) {
    return fail(Code::Unavailable, "{} \"{}\": {}", capitalised(request.method), url,
                describe(*code, request, exchange));
  }
  long status = 0;
  char* ip = nullptr;
  curl_easy_getinfo(line->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(line->easy, CURLINFO_PRIMARY_IP, &ip);
  exchange.response.status = static_cast<int>(status);
  exchange.response.address = classify_address(ip ? ip : "");
  curl_easy_reset(line->easy);  // it must not keep pointers into this frame
  pool_->give(request.pool, std::move(line));
  return std::move(exchange.response);
}

}  // namespace sampan::registry
