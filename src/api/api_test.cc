// The pure parts of the API: routing, filters, prose, formats.
#include <gmock/gmock.h>

#include "api/internal/filters.h"
#include "api/internal/frames.h"
#include "api/internal/human.h"
#include "api/internal/json_container.h"
#include "api/internal/json_image.h"
#include "api/internal/progress.h"
#include "api/internal/route.h"

namespace sampan::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string matched(std::string_view method, std::string_view path) {
  auto match = find_route(method, path);
  return match ? std::string(match->route->pattern) + " [" + match->name + "]" : match.error().message();
}

TEST(Routing, finds_rows_with_and_without_a_version) {
  EXPECT_EQ(matched("GET", "/_ping"), "/_ping []");
  EXPECT_EQ(matched("GET", "/v1.41/containers/json"), "/containers/json []");
  EXPECT_EQ(matched("GET", "/containers/web/json"), "/containers/{name}/json [web]");
  EXPECT_EQ(matched("DELETE", "/v1.51/containers/web"), "/containers/{name} [web]");
}

TEST(Routing, image_names_hold_slashes_tags_and_digests) {
  EXPECT_EQ(matched("GET", "/images/quay.io/a/b:1/json"), "/images/{name}/json [quay.io/a/b:1]");
  EXPECT_EQ(matched("POST", "/images/localhost:5000/json/push"), "/images/{name}/push [localhost:5000/json]");
  EXPECT_EQ(matched("DELETE", "/images/a/b@sha256:00"), "/images/{name} [a/b@sha256:00]");
}

TEST(Routing, what_is_unknown_is_not_found_whatever_the_method) {
  EXPECT_EQ(matched("GET", "/nothing"), "page not found");
  EXPECT_EQ(matched("PATCH", "/containers/json"), "page not found");
  EXPECT_EQ(matched("GET", "/v1.41"), "page not found");
  EXPECT_EQ(matched("GET", "/vx/info"), "page not found");
  EXPECT_EQ(matched("GET", "/v1.24/system/df"), "page not found") << "it came with 1.25";
}

TEST(Routing, versions_out_of_range_are_refused_in_dockers_words) {
  EXPECT_EQ(matched("GET", "/v1.23/info"),
            "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a "
            "newer version");
  EXPECT_EQ(matched("GET", "/v1.52/info"), "client version 1.52 is too new. Maximum supported API version is 1.51");
  EXPECT_EQ(find_route("GET", "/v1.9/info").error().code(), Code::InvalidArgument);
}

TEST(Prose, durations_are_dockers) {
  EXPECT_EQ(format_human_duration(0), "Less than a second");
  EXPECT_EQ(format_human_duration(1), "1 second");
  EXPECT_EQ(format_human_duration(59), "59 seconds");
  EXPECT_EQ(format_human_duration(60), "About a minute");
  EXPECT_EQ(format_human_duration(180), "3 minutes");
  EXPECT_EQ(format_human_duration(3600), "About an hour");
  EXPECT_EQ(format_human_duration(47 * 3600), "47 hours");
  EXPECT_EQ(format_human_duration(3 * 86400), "3 days");
  EXPECT_EQ(format_human_duration(21 * 86400), "3 weeks");
  EXPECT_EQ(format_human_duration(100 * 86400), "3 months");
  EXPECT_EQ(format_human_duration(800LL * 86400), "2 years");
}

TEST(Prose, a_status_says_how_long_and_how_it_ended) {
  container::ContainerState state;
  EXPECT_EQ(format_status(state, 1000), "Created");
  state.status = "running";
  state.started_at = "1970-01-01T00:13:40Z";
  EXPECT_EQ(format_status(state, 1000), "Up 3 minutes");
  state.health = container::HealthState{"healthy", 0, {}};
  EXPECT_EQ(format_status(state, 1000), "Up 3 minutes (healthy)");
  state.health->status = "starting";
  EXPECT_EQ(format_status(state, 1000), "Up 3 minutes (health: starting)");
  state.status = "paused";
  EXPECT_EQ(format_status(state, 1000), "Up 3 minutes (Paused)");
  state.status = "exited";
  state.exit_code = 137;
  state.finished_at = "1970-01-01T00:16:30Z";
  EXPECT_EQ(format_status(state, 1000), "Exited (137) 10 seconds ago");
}

TEST(Frames, carry_stream_and_length) {
  EXPECT_EQ(format_frame(logs::Stream::Stderr, std::string(258, 'x')).substr(0, 8), std::string("\2\0\0\0\0\0\1\2", 8));
}

TEST(Frames, timestamps_stand_before_details) {
  logs::Line line{logs::Stream::Stdout, {1'000'000'000}, "hi\n", {{"b", "2"}, {"a", "1 x"}}};
  std::string out;
  append_line(line, {false, true, true}, out);
  EXPECT_EQ(out, "1970-01-01T00:00:01.000000000Z a=1%20x,b=2 hi\n");
}

TEST(Progress, lines_have_dockers_members) {
  image::ProgressLine line;
  line.id = "abc";
  line.status = "Downloading";
  line.current = 5;
  line.total = 10;
  EXPECT_EQ(format_progress(line),
            "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":10},\"id\":\"abc\"}\r\n");
  line.current = line.total = 0;
  line.status = "Pull complete";
  EXPECT_EQ(format_progress(line), "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"abc\"}\r\n");
  image::ProgressLine aux;
  aux.aux_json = R"({"ID":"sha256:1"})";
  EXPECT_EQ(format_progress(aux), "{\"aux\":{\"ID\":\"sha256:1\"}}\r\n");
  EXPECT_EQ(format_stream_error("a <b>"), "{\"errorDetail\":{\"message\":\"a <b>\"},\"error\":\"a <b>\"}\r\n");
}

container::ContainerRecord sample() {
  container::ContainerRecord out;
  out.id = "0123456789abcdef";
  out.name = "web";
  out.created = "2026-01-01T00:00:00Z";
  out.path = "sh";
  out.args = {"-c", "echo hi"};
  out.state.status = "running";
  out.state.pid = 42;
  out.config.exposed_ports = {"80/tcp", "81/udp"};
  out.ports["80/tcp"] = {{"", "8080"}};
  out.networks["bridge"].ip_address = "172.17.0.2";
  return out;
}

TEST(Inspect, empty_members_are_null_list_or_missing_as_in_docker) {
  auto object = format_inspect(sample(), {}, kMaxVersion);
  const auto& config = object["Config"].as_object();
  EXPECT_TRUE(config.at("Cmd").is_null());
  EXPECT_TRUE(config.at("Entrypoint").is_null());
  EXPECT_TRUE(config.at("Volumes").is_null());
  EXPECT_FALSE(config.contains("Healthcheck"));
  EXPECT_FALSE(config.contains("StopSignal"));
  EXPECT_TRUE(config.at("Env").is_array());
  const auto& host = object["HostConfig"].as_object();
  for (const char* name : {"Binds", "CapAdd", "Links", "PidsLimit", "SecurityOpt", "Ulimits"})
    EXPECT_TRUE(host.at(name).is_null()) << name;
  for (const char* name : {"Mounts", "Tmpfs", "Sysctls", "Init"}) EXPECT_FALSE(host.contains(name)) << name;
  EXPECT_EQ(codec::format_json(host.at("ConsoleSize")), "[0,0]");
  EXPECT_EQ(codec::format_json(object["Mounts"]), "[]");
  EXPECT_TRUE(object["ExecIDs"].is_null());
  EXPECT_EQ(codec::format_json(object["Name"]), "\"/web\"");
  EXPECT_EQ(object.size(), 23U) << "of 27: four exist only for sizes and for content stores";
}

TEST(Inspect, ports_published_everywhere_are_shown_for_both_families) {
  auto object = format_inspect(sample(), {}, kMaxVersion);
  const auto& settings = object["NetworkSettings"].as_object();
  EXPECT_EQ(codec::format_json(settings.at("Ports")),
            R"({"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}],"81/udp":null})");
  EXPECT_EQ(codec::format_json(settings.at("IPAddress")), "\"172.17.0.2\"");
}

TEST(Inspect, members_of_later_versions_are_left_out) {
  auto endpoint = format_endpoint({}, {1, 43});
  EXPECT_FALSE(endpoint.contains("DNSNames"));
  EXPECT_FALSE(endpoint.contains("GwPriority"));
  EXPECT_TRUE(endpoint.at("IPAMConfig").is_null());
  EXPECT_TRUE(format_endpoint({}, kMaxVersion).contains("DNSNames"));
}

TEST(Rows, have_the_members_that_docker_ps_prints) {
  RowFacts facts;
  facts.image = "busybox";
  auto row = format_row(sample(), facts, kMaxVersion);
  EXPECT_EQ(codec::format_json(row["Names"]), R"(["/web"])");
  EXPECT_EQ(codec::format_json(row["Command"]), R"("sh -c 'echo hi'")");
  EXPECT_EQ(codec::format_json(row["Ports"]),
            R"([{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},)"
            R"({"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"PrivatePort":81,"Type":"udp"}])");
  EXPECT_EQ(codec::format_json(row["Created"]), "1767225600");
}

TEST(ImageRows, untagged_images_look_as_their_version_expects) {
  image::ImageRecord image;
  EXPECT_EQ(codec::format_json(format_image_row(image, {}, {1, 42})["RepoTags"]), R"(["<none>:<none>"])");
  EXPECT_EQ(codec::format_json(format_image_row(image, {}, {1, 43})["RepoTags"]), "[]");
  EXPECT_TRUE(format_image_row(image, {}, {1, 43}).contains("VirtualSize"));
  EXPECT_FALSE(format_image_row(image, {}, {1, 44}).contains("VirtualSize"));
}

TEST(History, sizes_belong_to_steps_that_made_a_layer) {
  image::ImageRecord image;
  image.id = "sha256:1";
  image.config.history = {{"", "ADD", "", "", false}, {"", "ENV", "", "", true}, {"", "RUN", "", "", false}};
  auto history = format_history(image, {30, 10});
  std::vector<std::string> sizes;
  for (const auto& step : history) sizes.push_back(codec::format_json(step.as_object().at("Size")));
  EXPECT_THAT(sizes, ElementsAre("30", "0", "10"));
  EXPECT_EQ(codec::format_json(history[1].as_object().at("Id")), "\"<missing>\"");
}

TEST(Labels, match_by_key_or_by_value) {
  std::map<std::string, std::string> labels = {{"a", "1"}, {"b", ""}};
  EXPECT_TRUE(match_labels({"a", "a=1", "b="}, labels));
  EXPECT_FALSE(match_labels({"a=2"}, labels));
  EXPECT_FALSE(match_labels({"c"}, labels));
}

}  // namespace
}  // namespace sampan::api
