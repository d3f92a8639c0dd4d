#include "client/client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "client/internal/message.h"
#include "sys/file.h"

namespace sampan::client {
namespace {

// A daemon that answers the n-th connection with the n-th text and keeps what it was asked.
class ScriptedDaemon {
 public:
  explicit ScriptedDaemon(std::vector<std::string> answers) : answers_(std::move(answers)) {
    path_ = fmt::format("/tmp/client.test.{}.{}", ::getpid(), static_cast<void*>(this));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    listener_ = sys::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedDaemon() {
    thread_.join();
    ::unlink(path_.c_str());
  }
  std::string host() const { return "unix://" + path_; }
  std::vector<std::string> requests;

 private:
  void serve() {
    for (const std::string& answer : answers_) {
      sys::Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      std::string request;
      std::vector<char> buffer(65536);
      std::string end = "\r\n\r\n";
      while (request.find(end) == std::string::npos ||
             (request.find("chunked") != std::string::npos && !request.ends_with("0\r\n\r\n"))) {
        auto count = sys::read_some(peer.get(), buffer);
        if (!count || *count == 0) break;
        request.append(buffer.data(), *count);
      }
      requests.push_back(request);
      (void)sys::write_all(peer.get(), answer);
    }
  }
  std::vector<std::string> answers_;
  std::string path_;
  sys::Fd listener_;
  std::thread thread_;
};

class TextSource final : public ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  Result<size_t> read(std::span<char> buffer) override {
    size_t count = std::min(buffer.size(), text_.size());
    text_.copy(buffer.data(), count);
    text_.erase(0, count);
    return count;
  }

 private:
  std::string text_;
};

TEST(Client, call_reads_a_body_of_known_length) {
  ScriptedDaemon daemon({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nOKrubbish"});
  auto client = open_client(daemon.host());
  ASSERT_TRUE(client);
  auto response = (*client)->call("GET", "/_ping");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "OK");
  EXPECT_EQ(response->header("x-a"), "b");
}

TEST(Client, chunked_body_is_decoded) {
  ScriptedDaemon daemon(
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"});
  auto client = open_client(daemon.host());
  std::string got;
  auto response = (*client)->stream("GET", "/x", {}, [&](std::string_view bytes) -> Result<void> {
    got += bytes;
    return {};
  });
  ASSERT_TRUE(response);
  EXPECT_EQ(got, "abcdefg");
  EXPECT_EQ(response->body, "");
}

TEST(Client, truncated_body_is_an_error) {
  ScriptedDaemon daemon({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"});
  auto client = open_client(daemon.host());
  auto response = (*client)->call("GET", "/x");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message(), "unexpected EOF");
}

TEST(Client, older_daemon_is_asked_again_with_its_own_version) {
  std::string refusal = R"({"message":"client version 1.51 is too new. Maximum supported API version is 1.45"})";
  ScriptedDaemon daemon({fmt::format("HTTP/1.1 400 Bad\r\nContent-Length: {}\r\n\r\n{}", refusal.size(), refusal),
                         "HTTP/1.1 204 No Content\r\n\r\n"});
  auto client = open_client(daemon.host(), {.api_version = "1.51"});
  auto response = (*client)->call("POST", "/containers/x/start");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 204);
  EXPECT_TRUE(daemon.requests[0].starts_with("POST /v1.51/containers/x/start "));
  EXPECT_TRUE(daemon.requests[1].starts_with("POST /v1.45/containers/x/start "));
}

TEST(Client, other_refusals_are_not_repeated) {
  ScriptedDaemon daemon({"HTTP/1.1 400 Bad\r\nContent-Length: 17\r\n\r\n{\"message\":\"bad\"}"});
  auto client = open_client(daemon.host(), {.api_version = "1.51"});
  auto response = (*client)->call("POST", "/containers/create");
  ASSERT_TRUE(response);
  EXPECT_EQ(response_error(*response).message(), "Error response from daemon: bad");
  EXPECT_EQ(response_error(*response).code(), Code::InvalidArgument);
}

TEST(Client, streamed_body_is_sent_chunked_and_whole) {
  ScriptedDaemon daemon({"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"});
  auto client = open_client(daemon.host());
  TextSource body(std::string(200000, 'x'));
  CallOptions options;
  options.body_source = &body;
  ASSERT_TRUE((*client)->call("POST", "/build", options));
  size_t count = std::ranges::count(daemon.requests[0], 'x');
  EXPECT_GE(count, 200000u);
}

TEST(Client, hijack_returns_the_bytes_behind_the_head) {
  ScriptedDaemon daemon({"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nhello"});
  auto client = open_client(daemon.host());
  auto upgraded = (*client)->hijack("POST", "/containers/x/attach?stream=1");
  ASSERT_TRUE(upgraded);
  EXPECT_EQ(upgraded->content_type, "application/vnd.docker.raw-stream");
  std::string all = upgraded->leftover + sys::read_fd(upgraded->socket.get()).value_or("");
  EXPECT_EQ(all, "hello");
  EXPECT_NE(daemon.requests[0].find("Upgrade: tcp"), std::string::npos);
}

TEST(Client, missing_daemon_is_named) {
  auto client = open_client("unix:///nonexistent/sampan.sock");
  auto response = (*client)->call("GET", "/_ping");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message(),
            "Cannot connect to the Sampan daemon at unix:///nonexistent/sampan.sock. Is the daemon running?");
}

TEST(Message, line_breaks_cannot_forge_requests) {
  EXPECT_FALSE(format_request_head({"GET", "/a\r\nX: y", {}}));
  EXPECT_FALSE(format_request_head({"GET", "/a", {{"X", "a\r\nb"}}}));
}

TEST(Message, garbage_is_not_an_answer) {
  std::string garbage = "SSH-2.0-x\r\n\r\n";
  EXPECT_FALSE(take_response_head(garbage));
  std::string part = "HTTP/1.1 200";
  EXPECT_FALSE(take_response_head(part)->has_value());
}

TEST(ChunkedDecoder, pieces_may_be_cut_anywhere) {
  std::string text = "5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n";
  ChunkedDecoder decoder;
  std::string wire, out;
  for (char c : text) {
    wire += c;
    ASSERT_TRUE(decoder.decode(wire, out));
  }
  EXPECT_TRUE(decoder.finished());
  EXPECT_EQ(out, "hello!");
}

TEST(ChunkedDecoder, broken_size_is_an_error) {
  ChunkedDecoder decoder;
  std::string wire = "zz\r\n", out;
  EXPECT_FALSE(decoder.decode(wire, out));
}

}  // namespace
}  // namespace sampan::client
