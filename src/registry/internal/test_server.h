#pragma once
// For this module's tests only: an HTTP server on a loopback port that records what it was asked.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/strings.h"

namespace sampan::registry::testing {

struct SeenRequest {
  std::string method, target, authorization, range, body;
};
struct Answer {
  int status = 200;
  std::vector<std::string> headers;
  std::string body;
  size_t cut_after = std::string::npos;  // close the connection after this many bytes of the body
};

class TestServer {
 public:
  using Handler = std::function<Answer(const SeenRequest&)>;
  explicit TestServer(Handler handler, const char* address = "127.0.0.1") : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {inet_addr(address)}};
    socklen_t size = sizeof at;
    (void)::bind(listener_, reinterpret_cast<sockaddr*>(&at), size);
    (void)::listen(listener_, 16);
    (void)::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    host_ = fmt::format("{}:{}", address, ntohs(at.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~TestServer() {
    stopping_ = true;
    thread_.join();
    ::close(listener_);
  }
  const std::string& host() const { return host_; }
  std::vector<SeenRequest> seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void serve() {
    while (!stopping_) {
      pollfd poll_fd{listener_, POLLIN, 0};
      if (::poll(&poll_fd, 1, 20) <= 0) continue;
      int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      answer(fd);
      ::close(fd);
    }
  }
  static std::string header_of(const std::string& head, const std::string& name) {
    for (const auto& line : split(head, '\n')) {
      auto parts = split_once(line, ':');
      if (parts && to_lower(parts->first) == name) return std::string(trim(parts->second));
    }
    return {};
  }
  void answer(int fd) {
    std::string text;
    char buffer[8192];
    size_t end = std::string::npos;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
      ssize_t n = ::read(fd, buffer, sizeof buffer);
      if (n <= 0 || text.size() > (1 << 20)) return;  // a TLS greeting, or nobody
      if (text.empty() && !std::isupper(static_cast<unsigned char>(buffer[0]))) return;
      text.append(buffer, static_cast<size_t>(n));
    }
    std::string head = text.substr(0, end), body = text.substr(end + 4);
    size_t length = parse_uint(header_of(head, "content-length")).value_or(0);
    while (body.size() < length) {
      ssize_t n = ::read(fd, buffer, sizeof buffer);
      if (n <= 0) return;
      body.append(buffer, static_cast<size_t>(n));
    }
    auto line = split(split(head, '\r')[0], ' ');
    if (line.size() < 2) return;
    SeenRequest request{line[0], line[1], header_of(head, "authorization"), header_of(head, "range"), body};
    {
      std::lock_guard lock(mutex_);
      seen_.push_back(request);
    }
    Answer out = handler_(request);
    std::string reply =
        fmt::format("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n", out.status, out.body.size());
    for (const auto& header : out.headers) reply += header + "\r\n";
    reply += "\r\n";
    if (request.method != "HEAD") reply += out.body.substr(0, out.cut_after);
    for (size_t at = 0; at < reply.size();) {
      ssize_t n = ::send(fd, reply.data() + at, reply.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
  }

  Handler handler_;
  int listener_ = -1;
  std::string host_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<SeenRequest> seen_;
  std::thread thread_;
};

}  // namespace sampan::registry::testing
