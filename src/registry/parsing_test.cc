#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/text.h"
#include "registry/internal/challenge.h"
#include "registry/internal/errors.h"
#include "registry/internal/session.h"
#include "registry/registry.h"

namespace sampan::registry {
namespace {

TEST(Challenges, bearer_with_quoted_parameters) {
  auto out = parse_challenges(
      R"(Bearer realm="https://auth.example/token",service="reg, one",scope="repository:a/b:pull,push")");
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].scheme, "bearer");
  EXPECT_EQ(out[0].get("realm"), "https://auth.example/token");
  EXPECT_EQ(out[0].get("service"), "reg, one");
  EXPECT_EQ(out[0].get("scope"), "repository:a/b:pull,push");
}

TEST(Challenges, several_in_one_header) {
  auto out = parse_challenges(R"(Basic realm="a \"quoted\" one", Bearer realm=plain , error="insufficient_scope")");
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].get("realm"), "a \"quoted\" one");
  EXPECT_EQ(out[1].get("realm"), "plain");
  EXPECT_EQ(out[1].get("error"), "insufficient_scope");
}

TEST(Challenges, garbage_ends_without_harm) {
  for (const char* text :
       {"", "=", "\"", "Bearer realm=\"never closed", "a=b", ",,,", "Bearer realm=", "\xff\xfe=\x01"}) {
    (void)parse_challenges(text);
  }
  EXPECT_TRUE(parse_challenges("realm=\"x\"").empty());
}

TEST(RegistryAuth, reads_base64url_json) {
  auto out =
      parse_registry_auth(codec::format_base64(R"({"username":"u","password":"p","serveraddress":"r.example"})"));
  EXPECT_EQ(out.username, "u");
  EXPECT_EQ(out.password, "p");
  EXPECT_EQ(out.server_address, "r.example");
  EXPECT_EQ(parse_registry_auth(codec::format_base64(R"({"identitytoken":"t"})")).identity_token, "t");
  EXPECT_EQ(parse_registry_auth(codec::format_base64(R"({"auth":"dTpwOnE="})")).password, "p:q");
}

TEST(RegistryAuth, malformed_or_header_splitting_is_no_credentials) {
  for (std::string text :
       {std::string(), std::string("%%%"), codec::format_base64("[]"), codec::format_base64("{\"username\":3}"),
        codec::format_base64(R"({"username":"u\r\nX: y","password":"p"})")}) {
    EXPECT_TRUE(parse_registry_auth(text).empty()) << text;
  }
}

TEST(RegistryErrors, speak_as_docker_does) {
  Response response{.status = 404};
  response.body = R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]})";
  EXPECT_EQ(pull_error(response, "busybox:nope", "busybox").message(),
            "manifest for busybox:nope not found: manifest unknown: manifest unknown");
  response.status = 401;
  response.body = R"({"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]})";
  EXPECT_EQ(pull_error(response, "a:b", "a").message(), "unauthorized: authentication required");
  response.headers.emplace("www-authenticate", R"(Bearer realm="x",error="insufficient_scope")");
  EXPECT_EQ(
      pull_error(response, "a:b", "a").message(),
      "pull access denied for a, repository does not exist or may require 'docker login': denied: requested access to "
      "the resource is denied");
  EXPECT_EQ(pull_error(response, "a:b", "a").code(), Code::NotFound);
  EXPECT_EQ(plain_error({.status = 500, .body = "<html>"}).message(), "received unexpected HTTP status: 500");
  EXPECT_EQ(
      plain_error({.status = 403, .body = "{\"errors\":[{\"code\":\"A\\u001b[2J\",\"message\":\"m\\n\"}]}"}).message(),
      "a [2j: m ");
}

TEST(Realms, must_use_tls_and_be_no_foreign_address) {
  auto registry = *parse_url("https://registry.example/v2/");
  EXPECT_TRUE(check_realm("https://auth.example/token", registry, false));
  EXPECT_FALSE(check_realm("http://auth.example/token", registry, false));
  EXPECT_FALSE(check_realm("https://169.254.169.254/token", registry, false));
  EXPECT_FALSE(check_realm("https://[::1]/token", registry, false));
  EXPECT_FALSE(check_realm("https://user:secret@auth.example/", registry, false));
  EXPECT_FALSE(check_realm("file:///etc/passwd", registry, false));
  EXPECT_FALSE(check_realm("", registry, false));
}

TEST(Urls, resolve_against_the_answering_one) {
  auto base = *parse_url("https://r.example:5000/v2/a/blobs/uploads/");
  EXPECT_EQ(resolve_url(base, "/v2/x?state=1")->str(), "https://r.example:5000/v2/x?state=1");
  EXPECT_EQ(resolve_url(base, "http://other.example/y")->str(), "http://other.example/y");
  EXPECT_FALSE(resolve_url(base, "https://a b/"));
  EXPECT_TRUE(base.same_origin(*resolve_url(base, "z")));
}

TEST(Hosts, only_loopback_and_listed_ones_are_insecure) {
  ClientOptions options;
  options.insecure_registries = {"plain.example:5000", "10.1.0.0/16", "bare.example"};
  for (const char* host : {"127.0.0.1:5000", "127.9.9.9", "localhost:5000", "[::1]:5000", "plain.example:5000",
                           "10.1.2.3:80", "bare.example:77"}) {
    EXPECT_TRUE(is_insecure_host(options, host)) << host;
  }
  for (const char* host : {"plain.example", "10.2.0.1", "docker.io", "localhost.example", "127.0.0.1.example"}) {
    EXPECT_FALSE(is_insecure_host(options, host)) << host;
  }
  EXPECT_EQ(registry_host("docker.io"), "registry-1.docker.io");
}

TEST(Addresses, are_classified_by_how_near_they_are) {
  EXPECT_EQ(classify_address("8.8.8.8"), AddressClass::Public);
  EXPECT_EQ(classify_address("172.20.1.1"), AddressClass::Private);
  EXPECT_EQ(classify_address("::ffff:127.0.0.1"), AddressClass::Loopback);
  EXPECT_EQ(classify_address("169.254.169.254"), AddressClass::LinkLocal);
  EXPECT_EQ(classify_address("fe80::1"), AddressClass::LinkLocal);
  EXPECT_EQ(classify_address("fd00::1"), AddressClass::Private);
}

}  // namespace
}  // namespace sampan::registry
