// Raw bytes over a real unix socket: what a client that is slow, broken or hostile sees.
#include "http/http.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include "async/signal.h"

namespace sampan::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Client {
 public:
  Client() : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  explicit Client(const std::string& path) : Client() { connect(path); }
  void connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", path.c_str());
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Client() { close(); }
  bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// Reads until `end` has been seen, the server closes, or five seconds pass.
  std::string read_until(std::string_view end) {
    while (seen_.find(end) == std::string::npos && fill()) {
    }
    return seen_;
  }
  std::string read_all() {
    while (fill()) {
    }
    return seen_;
  }
  void forget() { seen_.clear(); }
  bool closed() const { return closed_; }

 private:
  bool fill() {
    pollfd event{fd_, POLLIN, 0};
    if (::poll(&event, 1, 5000) <= 0) return false;
    char buffer[65536];
    ssize_t got = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (got <= 0) {
      closed_ = true;
      return false;
    }
    seen_.append(buffer, static_cast<size_t>(got));
    return true;
  }
  int fd_ = -1;
  bool connected_ = false, closed_ = false;
  std::string seen_;
};

class HttpServer : public testing::Test {
 protected:
  HttpServer() : path_("/tmp/http.test." + std::to_string(::getpid()) + ".sock"), pool_("test", 4) {
    server_ = make_server(loop_, [this](Exchange& exchange) { return handle(exchange); });
    EXPECT_TRUE(server_->listen_unix(path_));
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~HttpServer() override {
    server_->stop();
    thread_.join();
    pool_.join();
    ::unlink(path_.c_str());
  }

  async::Task<void> handle(Exchange& exchange) {
    const Request& request = exchange.request();
    if (request.path == "/echo") {
      auto body = co_await exchange.read_body(1 << 20);
      if (!body) {
        (void)co_await exchange.respond({http_status(body.error().code()), {}, body.error().message()});
        co_return;
      }
      (void)co_await exchange.respond({200, {}, request.method + " " + request.get("q") + " " + *body});
    } else if (request.path == "/ignore-body") {
      (void)co_await exchange.respond({200, {}, "ignored"});
    } else if (request.path == "/throw") {
      throw std::runtime_error("a \"bug\"");
    } else if (request.path == "/peer") {
      (void)co_await exchange.respond({200, {}, std::to_string(request.peer_pid)});
    } else if (request.path == "/header-injection") {
      (void)co_await exchange.respond({200, {{"X-Name", "a\r\nX-Evil: 1"}}, ""});
    } else if (request.path == "/wait") {
      waiting_.set();
      co_await exchange.wait_closed();
      (gone_ = exchange.cancel().cancelled()).notify_all();
    } else if (request.path == "/pump") {
      co_await async::blocking(pool_, [&exchange] {
        (void)exchange.start_stream_blocking({200, {}, ""});
        auto source = exchange.body_source();
        auto sink = exchange.chunk_sink();
        std::string buffer(100000, '\0');
        for (;;) {
          auto got = source->read(buffer);
          if (!got || *got == 0) break;
          if (!sink->write({buffer.data(), *got})) break;
        }
      });
      (void)co_await exchange.finish_stream();
    } else if (request.path == "/flood") {
      (void)co_await exchange.start_stream({200, {}, ""});
      co_await async::blocking(pool_, [&exchange, this] {
        auto sink = exchange.chunk_sink();
        std::string block(65536, 'x');
        while (sink->write(block)) {
        }
        (gone_ = true).notify_all();
      });
    } else if (request.path == "/hijack") {
      (void)co_await exchange.read_body(1024);
      auto taken = co_await exchange.hijack("HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n");
      if (!taken) co_return;
      std::thread([taken = std::move(*taken)]() mutable {
        std::string out = "left:" + taken.leftover + ";";
        char buffer[256];
        for (ssize_t got; (got = ::read(taken.socket.get(), buffer, sizeof(buffer))) > 0;) {
          out.append(buffer, static_cast<size_t>(got));
        }
        (void)!::write(taken.socket.get(), out.data(), out.size());
      }).detach();
    }
  }

  struct Flag {
    std::atomic<bool> value = false;
    Flag& operator=(bool set) {
      value = set;
      return *this;
    }
    void notify_all() { value.notify_all(); }
    void set() {
      value = true;
      value.notify_all();
    }
    void wait() { value.wait(false); }
  };

  std::string path_;
  async::asio::io_context loop_{1};
  async::Pool pool_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  Flag waiting_, gone_;
};

TEST_F(HttpServer, answers_pipelined_requests_in_order_on_one_connection) {
  Client client(path_);
  client.send(
      "GET /echo?q=a%20b HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo?q=2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
      "GET /echo?q=3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string all = client.read_all();
  EXPECT_THAT(all, HasSubstr("GET a b "));
  EXPECT_LT(all.find("GET a b "), all.find("POST 2 hi"));
  EXPECT_LT(all.find("POST 2 hi"), all.find("GET 3 "));
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServer, reads_chunked_bodies) {
  Client client(path_);
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n");
  EXPECT_THAT(client.read_until("abcdefg"), EndsWith("POST  abcdefg"));
}

TEST_F(HttpServer, refuses_what_two_parsers_could_read_differently) {
  const char* hostile[] = {
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
      "GET /a%zz HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET echo HTTP/1.1\r\nHost: x\r\n\r\n",
      "\x16\x03\x01\x02\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3 4\r\n\r\nabc",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\nabc",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nabc",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n",
      "GET /echo HTTP/1.1\nHost: x\n\n",
      "GET /echo HTTP/1.1\r\nHost: x\r\nX: a\nContent-Length: 3\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n",
      "GET /echo HTTP/1.1\r\n Host: x\r\n\r\n",
      "GET /echo HTTP/2.0\r\nHost: x\r\n\r\n",
      "GET /echo\r\n\r\n",
      "GET  /echo HTTP/1.1\r\nHost: x\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff3\r\nabc\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
  };
  for (const char* text : hostile) {
    Client client(path_);
    client.send(text);
    EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 400 ")) << text;
    EXPECT_TRUE(client.closed()) << text;
  }
}

TEST_F(HttpServer, broken_chunking_is_400_and_ends_the_connection) {
  Client client(path_);
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"
      "GET /echo?q=smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string all = client.read_all();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(all, Not(HasSubstr("smuggled")));
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServer, large_bodies_share_a_budget_and_small_ones_always_pass) {
  std::string megabyte(1 << 20, 'x');
  // Each sends a megabyte less one byte of a megabyte: all of it is held until the last byte comes.
  std::vector<std::unique_ptr<Client>> crowd;
  for (int i = 0; i < 70; ++i) {
    crowd.push_back(std::make_unique<Client>(path_));
    crowd.back()->send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + megabyte.substr(1));
  }
  int refused = 0;
  for (auto& client : crowd) {
    client->send("x");
    refused += client->read_until("\r\n\r\n").starts_with("HTTP/1.1 503 ") ? 1 : 0;
    Client small(path_);
    small.send("POST /echo?q=a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb");
    if (refused == 1) EXPECT_THAT(small.read_until("POST a b"), EndsWith("POST a b"));
  }
  EXPECT_GT(refused, 0);
  crowd.clear();
  Client later(path_);
  later.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + megabyte);
  EXPECT_THAT(later.read_until("xxx"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServer, a_header_that_goes_on_in_the_next_line_is_one_value) {
  Client client(path_);
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 3\r\nConnection: close\r\n\r\n");
  std::string all = client.read_all();
  // Refused or folded, but never a length of its own.
  EXPECT_THAT(all, testing::AnyOf(StartsWith("HTTP/1.1 400 "), EndsWith("POST  ")));
}

TEST_F(HttpServer, too_large_a_head_is_refused) {
  Client client(path_);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\nX: " + std::string(70000, 'a') + "\r\n\r\n");
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpServer, asks_for_the_body_only_when_the_handler_reads_it) {
  Client client(path_);
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("ok");
  EXPECT_THAT(client.read_until("POST  ok"), EndsWith("POST  ok"));
  client.forget();
  client.send("POST /ignore-body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  std::string all = client.read_all();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(all, HasSubstr("Connection: close"));
}

TEST_F(HttpServer, an_unread_body_does_not_become_the_next_request) {
  Client client(path_);
  client.send(
      "POST /ignore-body HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nGET /echo?q=smuggled HTTP/1.1\r\nHost: "
      "x\r\n\r\n"
      "GET /echo?q=real HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string all = client.read_all();
  EXPECT_THAT(all, Not(HasSubstr("smuggled")));
}

TEST_F(HttpServer, a_throwing_handler_costs_its_client_a_500_and_nobody_else) {
  Client client(path_);
  client.send("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.read_until("}\n"), HasSubstr("{\"message\":\"internal error: a \\\"bug\\\"\"}"));
  client.forget();
  client.send("GET /echo?q=alive HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.read_until("alive "), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServer, a_handler_that_does_not_answer_is_a_500) {
  Client client(path_);
  client.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.read_until("}\n"), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpServer, head_has_the_length_but_no_body) {
  Client client(path_);
  client.send("HEAD /ignore-body HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string all = client.read_all();
  EXPECT_THAT(all, HasSubstr("Content-Length: 7\r\n"));
  EXPECT_THAT(all, EndsWith("\r\n\r\n"));
}

TEST_F(HttpServer, header_values_cannot_add_headers) {
  Client client(path_);
  client.send("GET /header-injection HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.read_all(), Not(HasSubstr("\r\nX-Evil")));
}

TEST_F(HttpServer, knows_its_peer) {
  Client client(path_);
  client.send("GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.read_all(), EndsWith("\r\n\r\n" + std::to_string(::getpid())));
}

TEST_F(HttpServer, pool_threads_pump_a_large_body_in_both_directions) {
  Client client(path_);
  std::string payload(3 << 20, 'p');
  std::thread sender([&] {
    client.send("POST /pump HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                std::to_string(payload.size()) + "\r\n\r\n" + payload);
  });
  std::string all = client.read_all();
  sender.join();
  EXPECT_EQ(std::count(all.begin(), all.end(), 'p'), 3 << 20);
  EXPECT_THAT(all, EndsWith("\r\n0\r\n\r\n"));
}

TEST_F(HttpServer, a_pool_thread_that_floods_a_vanished_client_is_told) {
  Client client(path_);
  client.send("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("xxxx");
  client.close();
  gone_.wait();
}

TEST_F(HttpServer, notices_a_client_that_leaves_while_nothing_moves) {
  Client client(path_);
  client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  waiting_.wait();
  client.close();
  gone_.wait();
}

TEST_F(HttpServer, notices_it_even_behind_a_pipelined_request) {
  Client client(path_);
  client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  waiting_.wait();
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  client.close();
  gone_.wait();
}

TEST_F(HttpServer, hijack_gives_the_leftover_bytes_and_a_blocking_socket_that_half_closes) {
  Client client(path_);
  client.send(
      "POST /hijack HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}early");
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 101 UPGRADED\r\n"));
  client.send(" late");
  client.half_close();
  EXPECT_THAT(client.read_all(), EndsWith("left:early; late"));
}

TEST_F(HttpServer, a_half_closed_client_still_gets_its_answer) {
  Client client(path_);
  client.send("GET /echo?q=half HTTP/1.1\r\nHost: x\r\n\r\n");
  client.half_close();
  EXPECT_THAT(client.read_all(), EndsWith("GET half "));
}

TEST_F(HttpServer, stop_ends_what_is_open) {
  Client client(path_);
  client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  waiting_.wait();
  server_->stop();
  gone_.wait();
  EXPECT_EQ(client.read_all(), "");
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServer, the_socket_is_for_owner_and_group_only) {
  struct stat found{};
  ASSERT_EQ(::stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0660U);
}

TEST_F(HttpServer, a_live_socket_is_a_conflict_and_a_stale_one_is_replaced) {
  auto second = make_server(loop_, [](Exchange&) -> async::Task<void> { co_return; });
  auto refused = second->listen_unix(path_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::Conflict);

  std::string stale = path_ + ".stale";
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", stale.c_str());
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ::close(fd);
  EXPECT_TRUE(second->listen_unix(stale));
  EXPECT_TRUE(Client(stale).connected());
  second->stop();
  ::unlink(stale.c_str());
}

TEST_F(HttpServer, running_out_of_descriptors_only_delays_new_connections) {
  Client first(path_);
  first.send("GET /echo?q=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  first.read_until("GET 1 ");
  Client second(path_);
  std::vector<int> eaten;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  Client late;
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  for (int fd; (fd = ::dup(0)) >= 0;) eaten.push_back(fd);
  late.connect(path_);
  late.send("GET /echo?q=late HTTP/1.1\r\nHost: x\r\n\r\n");
  first.forget();
  first.send("GET /echo?q=still HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(first.read_until("GET still "), HasSubstr("GET still "));
  for (int fd : eaten) ::close(fd);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(late.read_until("GET late "), HasSubstr("GET late "));
}

}  // namespace
}  // namespace sampan::http
