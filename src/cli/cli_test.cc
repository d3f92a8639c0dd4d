// Whole commands against a scripted daemon: the order of requests, the exit codes, the output.
#include "cli/cli.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "cli/config_file.h"
#include "sys/file.h"

namespace sampan::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Answers "METHOD /path-start" by the first rule that matches; unknown requests get 404.
class FakeDaemon {
 public:
  struct Rule {
    std::string start;
    std::string answer;  // raw HTTP
    int times = 1000;
  };
  explicit FakeDaemon(std::vector<Rule> rules) : rules_(std::move(rules)) {
    path = fmt::format("/tmp/cli.test.{}.sock", ::getpid());
    ::unlink(path.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    listener_ = sys::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeDaemon() {
    stop_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (auto& worker : workers_) worker.join();
    ::unlink(path.c_str());
  }
  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  std::string path;

 private:
  void serve() {
    while (!stop_) {
      int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      workers_.emplace_back([this, fd] { answer(sys::Fd(fd)); });
    }
  }
  void answer(sys::Fd peer) {
    std::string request;
    std::vector<char> buffer(65536);
    while (request.find("\r\n\r\n") == std::string::npos) {
      auto count = sys::read_some(peer.get(), buffer);
      if (!count || *count == 0) return;
      request.append(buffer.data(), *count);
    }
    std::string line = request.substr(0, request.find(" HTTP/"));
    size_t version = line.find("/v1.51");
    if (version != std::string::npos) line.erase(version, 6);
    std::string reply = "HTTP/1.1 404 Not Found\r\nContent-Length: 23\r\n\r\n{\"message\":\"not there\"}\n";
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(line);
      for (Rule& rule : rules_) {
        if (!line.starts_with(rule.start) || rule.times == 0) continue;
        --rule.times;
        reply = rule.answer;
        break;
      }
    }
    (void)sys::write_all(peer.get(), reply);
    ::shutdown(peer.get(), SHUT_WR);
    while (true) {  // until the client has read all
      auto count = sys::read_some(peer.get(), buffer);
      if (!count || *count == 0) return;
    }
  }
  std::vector<Rule> rules_;
  sys::Fd listener_;
  std::thread thread_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::atomic<bool> stop_ = false;
};

std::string json_answer(int status, const std::string& body) {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status,
                     body.size(), body);
}
const std::string kNoContent = "HTTP/1.1 204 No Content\r\n\r\n";
const std::string kAttached =
    std::string(
        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: "
        "Upgrade\r\nUpgrade: tcp\r\n\r\n") +
    std::string("\x01\0\0\0\0\0\0\x06hello\n", 14) +
    std::string(
        "\x02\0\0\0\0\0\0\x04"
        "err\n",
        12);

struct Ran {
  int code = 0;
  std::string out, err;
};

// Runs one command line with stdout and stderr in files.
Ran run(const std::string& socket, std::vector<std::string> words) {
  std::string directory = testing::TempDir();
  auto redirect = [&](int fd, const std::string& file) {
    int saved = ::dup(fd);
    sys::Fd target = std::move(*sys::open_file(file, O_RDWR | O_CREAT | O_TRUNC, 0600));
    ::dup2(target.get(), fd);
    return saved;
  };
  words.insert(words.begin(), {"sampan", "-H", "unix://" + socket, "--config", directory + "/cli_config"});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  std::string out = directory + "cli_out", err = directory + "cli_err";
  int saved_out = redirect(1, out), saved_err = redirect(2, err);
  Ran ran;
  ran.code = run_main(static_cast<int>(argv.size()), argv.data());
  ::dup2(saved_out, 1);
  ::dup2(saved_err, 2);
  ::close(saved_out);
  ::close(saved_err);
  ran.out = sys::read_file(out).value_or("");
  ran.err = sys::read_file(err).value_or("");
  return ran;
}

TEST(RunCommand, waits_before_it_starts_and_ends_with_the_containers_code) {
  FakeDaemon daemon({{"POST /containers/create", json_answer(201, R"({"Id":"abc","Warnings":["careful"]})")},
                     {"POST /containers/abc/attach", kAttached},
                     {"POST /containers/abc/wait", json_answer(200, R"({"StatusCode":3})")},
                     {"POST /containers/abc/start", kNoContent}});
  Ran ran = run(daemon.path, {"run", "--name", "x", "image", "cmd"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_EQ(ran.out, "hello\n");
  EXPECT_EQ(ran.err, "WARNING: careful\nerr\n");
  EXPECT_THAT(daemon.requests(),
              ElementsAre("POST /containers/create?name=x", "POST /containers/abc/attach?stream=1&stdout=1&stderr=1",
                          "POST /containers/abc/wait?condition=next-exit", "POST /containers/abc/start"));
}

TEST(RunCommand, pulls_a_missing_image_and_creates_again) {
  std::string missing = json_answer(404, R"({"message":"No such image: image:latest"})");
  FakeDaemon daemon({{"POST /containers/create", missing, 1},
                     {"POST /containers/create", json_answer(201, R"({"Id":"abc"})")},
                     {"POST /images/create",
                      json_answer(200, "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"aa\"}\r\n")},
                     {"POST /containers/abc/start", kNoContent}});
  Ran ran = run(daemon.path, {"run", "-d", "image"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "abc\n");
  EXPECT_EQ(ran.err, "Unable to find image 'image:latest' locally\naa: Pull complete\n");
  EXPECT_THAT(daemon.requests()[1], HasSubstr("fromImage=docker.io%2Flibrary%2Fimage&tag=latest"));
}

TEST(RunCommand, start_errors_choose_the_exit_code) {
  struct Case {
    const char* message;
    int code;
  };
  for (const Case& c : {Case{"exec: \\\"x\\\": executable file not found in $PATH", 127},
                        Case{"exec: \\\"/etc\\\": is a directory", 126},
                        Case{"exec: \\\"/x\\\": permission denied", 126}, Case{"cgroup is full", 125}}) {
    FakeDaemon daemon(
        {{"POST /containers/create", json_answer(201, R"({"Id":"abc"})")},
         {"POST /containers/abc/attach", kAttached},
         {"POST /containers/abc/wait", json_answer(200, R"({"StatusCode":0})")},
         {"POST /containers/abc/start", json_answer(500, fmt::format("{{\"message\":\"{}\"}}", c.message))}});
    Ran ran = run(daemon.path, {"run", "image"});
    EXPECT_EQ(ran.code, c.code) << c.message;
    EXPECT_THAT(ran.err, testing::StartsWith("sampan: Error response from daemon: "));
    EXPECT_THAT(ran.err, testing::EndsWith("\n\nRun 'sampan run --help' for more information\n"));
  }
}

TEST(RunCommand, no_daemon_is_125_and_said) {
  Ran ran = run("/nonexistent.sock", {"run", "image"});
  EXPECT_EQ(ran.code, 125);
  EXPECT_THAT(ran.err,
              HasSubstr("Cannot connect to the Sampan daemon at unix:///nonexistent.sock. Is the daemon running?"));
  EXPECT_EQ(run("/nonexistent.sock", {"ps"}).code, 1);
}

TEST(RunCommand, cidfile_is_written_once_and_never_overwritten) {
  std::string file = testing::TempDir() + "cli_cid";
  ::unlink(file.c_str());
  FakeDaemon daemon(
      {{"POST /containers/create", json_answer(201, R"({"Id":"abc"})")}, {"POST /containers/abc/start", kNoContent}});
  EXPECT_EQ(run(daemon.path, {"run", "-d", "--cidfile", file, "image"}).code, 0);
  EXPECT_EQ(sys::read_file(file).value_or(""), "abc");
  Ran again = run(daemon.path, {"run", "-d", "--cidfile", file, "image"});
  EXPECT_EQ(again.code, 125);
  EXPECT_THAT(again.err, HasSubstr("container ID file found"));
}

TEST(ManyNames, each_error_is_said_and_the_others_go_on) {
  FakeDaemon daemon({{"DELETE /containers/good", kNoContent}});
  Ran ran = run(daemon.path, {"rm", "bad", "good"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "good\n");
  EXPECT_EQ(ran.err, "Error response from daemon: not there\n");
  EXPECT_EQ(run(daemon.path, {"rm", "-f", "bad"}).code, 0);
}

TEST(Inspect, tries_each_kind_and_formats) {
  FakeDaemon daemon({{"GET /networks/first", json_answer(200, R"({"Name":"n","Id":"1"})")}});
  Ran ran = run(daemon.path, {"inspect", "-f", "{{.Name}}", "first", "nope"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "n\n");
  EXPECT_EQ(ran.err, "Error: No such object: nope\n");
}

TEST(Pull, errors_in_the_stream_fail_the_command) {
  FakeDaemon daemon(
      {{"POST /images/create",
        json_answer(200, "{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}\r\n")}});
  Ran ran = run(daemon.path, {"pull", "nope:1"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "manifest unknown\n");
}

TEST(ConfigFile, credentials_survive_and_unknown_members_are_kept) {
  std::string directory = testing::TempDir() + "cli_config_file";
  ASSERT_TRUE(sys::make_dirs(directory));
  ASSERT_TRUE(
      sys::replace_file(directory + "/config.json", R"({"HttpHeaders":{"X-A":"b"},"other":[1],"psFormat":"{{.ID}}"})"));
  ConfigFile config(directory);
  EXPECT_EQ(config.text("psFormat"), "{{.ID}}");
  EXPECT_EQ(config.http_headers().size(), 1u);
  ASSERT_TRUE(config.store({"me", "se:cret", "", "localhost:5000"}));
  EXPECT_EQ(config.credentials("localhost:5000").password, "se:cret");
  EXPECT_EQ(config.credentials("elsewhere").password, "");
  EXPECT_THAT(sys::read_file(config.path()).value_or(""), HasSubstr("\"other\""));
  EXPECT_TRUE(*config.erase("localhost:5000"));
  EXPECT_FALSE(*config.erase("localhost:5000"));
  EXPECT_EQ(registry_of("alpine"), "https://index.docker.io/v1/");
  EXPECT_EQ(registry_of("localhost:5000/a"), "localhost:5000");
}

TEST(ConfigFile, a_failing_helper_means_no_credentials) {
  std::string directory = testing::TempDir() + "cli_config_helper";
  ASSERT_TRUE(sys::make_dirs(directory));
  ASSERT_TRUE(sys::replace_file(directory + "/config.json",
                                R"({"credsStore":"does-not-exist","auths":{"localhost:5000":{"auth":"bWU6cHc="}}})"));
  EXPECT_EQ(ConfigFile(directory).credentials("localhost:5000").password, "");
}

}  // namespace
}  // namespace sampan::cli
