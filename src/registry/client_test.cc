// The client against a server that lies, stops, redirects and listens.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "registry/internal/test_server.h"
#include "registry/registry.h"
#include "sys/file.h"

namespace sampan::registry {
namespace {

using testing::Answer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SeenRequest;
using testing::TestServer;

const Credentials kUser{.username = "user", .password = "secret"};
const Cancel kNever;

struct TempDir {
  TempDir() {
    char name[] = "/tmp/registry.test.XXXXXX";
    path = ::mkdtemp(name);
  }
  ~TempDir() { (void)sys::remove_tree(path); }
  std::string path;
};

oci::Reference reference_at(const std::string& host) {
  return {host, "team/app", "latest", ""};
}

oci::Descriptor descriptor_of(const std::string& content) {
  return {.digest = oci::Digest::of_bytes(content).str(), .size = static_cast<int64_t>(content.size())};
}

Answer manifest_answer(const std::string& body) {
  return {.headers = {"Content-Type: application/vnd.oci.image.manifest.v1+json"}, .body = body};
}

TEST(Client, fetches_a_manifest_with_a_bearer_token_and_keeps_the_token) {
  std::string self;
  TestServer server([&](const SeenRequest& request) -> Answer {
    if (request.target.starts_with("/token")) return {.body = R"({"token":"abc","expires_in":300})"};
    if (request.authorization != "Bearer abc") {
      return {.status = 401,
              .headers = {fmt::format(R"(WWW-Authenticate: Bearer realm="http://{}/token",service="reg")", self)}};
    }
    return manifest_answer("{}");
  });
  self = server.host();
  auto client = make_client({});
  for (int i = 0; i < 2; ++i) {
    auto got = client->fetch_manifest(reference_at(server.host()), "latest", kUser, kNever);
    ASSERT_TRUE(got) << got.error().message();
  }
  int tokens = 0;
  for (const auto& request : server.seen()) {
    if (!request.target.starts_with("/token")) continue;
    ++tokens;
    EXPECT_EQ(request.authorization, "Basic dXNlcjpzZWNyZXQ=");
    EXPECT_THAT(request.target, HasSubstr("scope=repository%3Ateam%2Fapp%3Apull"));
    EXPECT_THAT(request.target, HasSubstr("service=reg"));
  }
  EXPECT_EQ(tokens, 1);
}

TEST(Client, asks_mirrors_of_docker_io_first_without_credentials_and_goes_on_when_one_lacks_it) {
  TestServer lacking([](const SeenRequest& request) { return Answer{request.target == "/v2/" ? 200 : 404, {}, "{}"}; });
  TestServer having([](const SeenRequest& request) {
    if (request.target == "/v2/") return Answer{200, {}, "{}"};
    return Answer{200, {"Content-Type: application/vnd.oci.image.manifest.v1+json"}, "[]"};
  });
  auto client = make_client({});
  client->reconfigure({.mirrors = {"http://" + lacking.host(), "http://" + having.host() + "/"}});
  auto reference = *oci::parse_reference("busybox");
  Credentials secret{.username = "me", .password = "secret"};
  auto got = client->fetch_manifest(reference, "latest", secret, kNever);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->body, "[]");
  ASSERT_FALSE(lacking.seen().empty());
  EXPECT_EQ(having.seen().back().target, "/v2/library/busybox/manifests/latest");
  for (const auto& request : having.seen()) EXPECT_EQ(request.authorization, "");
}

TEST(Client, trades_an_identity_token_by_post) {
  std::string self;
  TestServer server([&](const SeenRequest& request) -> Answer {
    if (request.target == "/token") return {.body = R"({"access_token":"xyz"})"};
    if (request.authorization == "Bearer xyz") return manifest_answer("{}");
    return {.status = 401, .headers = {fmt::format(R"(WWW-Authenticate: Bearer realm="http://{}/token")", self)}};
  });
  self = server.host();
  auto client = make_client({});
  ASSERT_TRUE(client->fetch_manifest(reference_at(server.host()), "latest", {.identity_token = "id/tok"}, kNever));
  bool posted = false;
  for (const auto& request : server.seen()) {
    if (request.target != "/token") continue;
    posted = request.method == "POST";
    EXPECT_THAT(request.body, HasSubstr("grant_type=refresh_token"));
    EXPECT_THAT(request.body, HasSubstr("refresh_token=id%2Ftok"));
  }
  EXPECT_TRUE(posted);
}

TEST(Client, never_sends_credentials_to_a_redirects_target) {
  const std::string content = "the blob";
  TestServer elsewhere([&](const SeenRequest&) -> Answer { return {.body = content}; }, "127.0.0.2");
  TestServer server([&](const SeenRequest& request) -> Answer {
    if (request.authorization.empty()) return {.status = 401, .headers = {R"(WWW-Authenticate: Basic realm="r")"}};
    if (request.target == "/v2/") return {};
    return {.status = 307, .headers = {fmt::format("Location: http://{}/cdn", elsewhere.host())}};
  });
  TempDir dir;
  auto client = make_client({});
  auto got =
      client->fetch_blob(reference_at(server.host()), descriptor_of(content), dir.path + "/b", kUser, {}, kNever);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(*sys::read_file(dir.path + "/b"), content);
  ASSERT_EQ(elsewhere.seen().size(), 1u);
  EXPECT_EQ(elsewhere.seen()[0].authorization, "");
}

TEST(Client, never_sends_credentials_to_an_upload_location_elsewhere) {
  TestServer elsewhere([](const SeenRequest&) -> Answer { return {.status = 201}; }, "127.0.0.2");
  TestServer server([&](const SeenRequest& request) -> Answer {
    if (request.authorization.empty()) return {.status = 401, .headers = {R"(WWW-Authenticate: Basic realm="r")"}};
    return {.status = 202, .headers = {fmt::format("Location: http://{}/put?x=1", elsewhere.host())}};
  });
  struct Source final : ByteSource {
    Result<size_t> read(std::span<char> buffer) override {
      buffer[0] = 'x';
      return size_t{1};
    }
  } source;
  auto client = make_client({});
  auto pushed = client->push_blob(reference_at(server.host()), descriptor_of("x"), source, kUser, {}, kNever);
  ASSERT_TRUE(pushed) << pushed.error().message();
  ASSERT_EQ(elsewhere.seen().size(), 1u);
  EXPECT_EQ(elsewhere.seen()[0].authorization, "");
  EXPECT_EQ(elsewhere.seen()[0].body, "x");
  EXPECT_THAT(elsewhere.seen()[0].target, HasSubstr("x=1&digest=sha256%3A"));
}

TEST(Client, stops_after_ten_redirects) {
  TestServer server([](const SeenRequest& request) -> Answer {
    if (request.target == "/v2/") return {};
    return {.status = 302, .headers = {"Location: /v2/again"}};
  });
  auto got = make_client({})->fetch_manifest(reference_at(server.host()), "latest", {}, kNever);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message(), "stopped after 10 redirects");
}

TEST(Client, continues_a_broken_download_where_it_stopped) {
  const std::string content(300000, 'z');
  std::atomic<int> calls{0};
  TestServer server([&](const SeenRequest& request) -> Answer {
    if (request.target == "/v2/") return {};
    if (calls++ == 0) return {.body = content, .cut_after = 100000};
    size_t from = parse_uint(request.range.substr(6, request.range.size() - 7)).value_or(0);
    return {.status = 206,
            .headers = {fmt::format("Content-Range: bytes {}-{}/{}", from, content.size() - 1, content.size())},
            .body = content.substr(from)};
  });
  TempDir dir;
  auto got =
      make_client({})->fetch_blob(reference_at(server.host()), descriptor_of(content), dir.path + "/b", {}, {}, kNever);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(server.seen().back().range, "bytes=100000-");
  EXPECT_EQ(sys::read_file(dir.path + "/b")->size(), content.size());
}

TEST(Client, replaces_a_damaged_partial_file) {
  const std::string content = "0123456789";
  TestServer server([&](const SeenRequest& request) -> Answer {
    if (request.target == "/v2/") return {};
    if (request.range == "bytes=4-")
      return {.status = 206, .headers = {"Content-Range: bytes 4-9/10"}, .body = "456789"};
    return {.body = content};
  });
  TempDir dir;
  ASSERT_TRUE(sys::replace_file(dir.path + "/b", "XXXX"));
  auto got =
      make_client({})->fetch_blob(reference_at(server.host()), descriptor_of(content), dir.path + "/b", {}, {}, kNever);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(*sys::read_file(dir.path + "/b"), content);
}

TEST(Client, refuses_a_blob_of_other_content_or_length) {
  TestServer server([](const SeenRequest& request) -> Answer {
    return request.target == "/v2/" ? Answer{} : Answer{.body = "evil bytes"};
  });
  TempDir dir;
  auto client = make_client({});
  auto wrong =
      client->fetch_blob(reference_at(server.host()), descriptor_of("good bytes"), dir.path + "/a", {}, {}, kNever);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), Code::DataLoss);
  auto longer = client->fetch_blob(reference_at(server.host()), descriptor_of("good"), dir.path + "/b", {}, {}, kNever);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code(), Code::DataLoss);
}

TEST(Client, refuses_a_manifest_that_is_not_the_digest_asked_for) {
  TestServer server([](const SeenRequest&) { return manifest_answer("{}"); });
  auto got =
      make_client({})->fetch_manifest(reference_at(server.host()), oci::Digest::of_bytes("[]").str(), {}, kNever);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), Code::DataLoss);
}

TEST(Client, refuses_a_manifest_over_four_mebibytes) {
  TestServer server([](const SeenRequest& request) {
    return request.target == "/v2/" ? Answer{} : manifest_answer(std::string((4 << 20) + 1, ' '));
  });
  auto got = make_client({})->fetch_manifest(reference_at(server.host()), "latest", {}, kNever);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), Code::ResourceExhausted);
}

TEST(Client, says_what_docker_says_when_nobody_listens) {
  auto got = make_client({})->fetch_manifest(reference_at("127.0.0.1:1"), "latest", {}, kNever);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), Code::Unavailable);
  EXPECT_EQ(got.error().message(), "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused");
}

TEST(Client, notices_a_cancel_while_the_server_is_silent) {
  TestServer server([](const SeenRequest& request) -> Answer {
    if (request.target != "/v2/") std::this_thread::sleep_for(std::chrono::milliseconds(600));
    return {};
  });
  Cancel cancel;
  std::thread stopper([&] {
    while (server.seen().size() < 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    cancel.cancel();
  });
  auto got = make_client({})->fetch_manifest(reference_at(server.host()), "latest", {}, cancel);
  stopper.join();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), Code::Cancelled);
}

TEST(Client, lists_tags_over_several_pages_of_the_same_host) {
  TestServer server([](const SeenRequest& request) -> Answer {
    if (request.target == "/v2/") return {};
    if (request.target.find("last=b") == std::string::npos) {
      return {.headers = {R"(Link: </v2/team/app/tags/list?last=b&n=2>; rel="next")"}, .body = R"({"tags":["a","b"]})"};
    }
    return {.body = R"({"tags":["c"]})"};
  });
  auto got = make_client({})->list_tags(reference_at(server.host()), {}, kNever);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(*got, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Client, login_tells_right_from_wrong) {
  TestServer server([](const SeenRequest& request) -> Answer {
    if (request.authorization == "Basic dXNlcjpzZWNyZXQ=") return {};
    return {.status = 401,
            .headers = {R"(WWW-Authenticate: Basic realm="r")"},
            .body = R"({"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]})"};
  });
  auto client = make_client({});
  Credentials right = kUser;
  right.server_address = server.host();
  auto good = client->login(right, kNever);
  ASSERT_TRUE(good) << good.error().message();
  EXPECT_EQ(*good, "Login Succeeded");
  Credentials wrong = right;
  wrong.password = "guess";
  auto bad = client->login(wrong, kNever);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Code::Unauthenticated);
  EXPECT_THAT(bad.error().message(), HasSubstr("unauthorized: authentication required"));
}

}  // namespace
}  // namespace sampan::registry
