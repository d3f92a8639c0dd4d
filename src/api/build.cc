// POST /build: the classic builder: a tar in, a progress stream out, on one connection at the same time.
#include <unistd.h>

#include "api/internal/filters.h"
#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "api/internal/progress.h"
#include "api/internal/prune.h"
#include "base/strings.h"
#include "build/build.h"
#include "codec/text.h"
#include "engine/build_cache.h"
#include "engine/step_runner.h"

namespace sampan::api {
namespace {

/// Query options that change what is built and that this builder does not have: silence would build something else.
Result<void> check_supported(const Call& call) {
  if (!call.get("remote").empty()) {
    return fail(Code::NotImplemented,
                "build from a remote context (remote={}) is not implemented: send the context as the body",
                call.get("remote"));
  }
  if (call.get("version") == "2")
    return fail(Code::NotImplemented,
                "BuildKit over POST /build (version=2) is not implemented: use DOCKER_BUILDKIT=0");
  if (!call.get("session").empty()) return fail(Code::NotImplemented, "build sessions (session=) are not implemented");
  if (std::string outputs = call.get("outputs"); !outputs.empty() && outputs != "[]" && outputs != "null") {
    return fail(Code::NotImplemented, "build outputs (outputs=) are not implemented");
  }
  if (std::string isolation = call.get("isolation"); !isolation.empty() && isolation != "default") {
    return fail(Code::InvalidArgument, "invalid isolation: \"{}\": only \"default\" exists on linux", isolation);
  }
  return {};
}

/// A query value that is JSON; missing and empty are the default.
template <typename T>
Result<T> json_query(const Call& call, std::string_view key) {
  std::string text = call.get(key);
  if (text.empty() || text == "null") return T{};
  return TRY_CONTEXT(codec::from_json<T>(text), std::string(key));
}

std::string registry_host(std::string key) {
  if (size_t scheme = key.find("://"); scheme != std::string::npos) key.erase(0, scheme + 3);
  key = key.substr(0, key.find('/'));
  return key == "index.docker.io" ? "docker.io" : key;
}

/// X-Registry-Config: base64url of {"host": AuthConfig}; a malformed one is no credentials, as on pull.
std::map<std::string, registry::Credentials> parse_registry_config(const std::string& header) {
  std::map<std::string, registry::Credentials> out;
  auto text = codec::parse_base64(header);
  if (!text) return out;
  auto value = codec::parse_json(*text);
  if (!value || !value->is_object()) return out;
  for (const auto& item : value->get_object()) {
    out[registry_host(std::string(item.key()))] =
        registry::parse_registry_auth(codec::format_base64(codec::format_json(item.value())));
  }
  return out;
}

Result<void> add_limits(const Call& call, build::BuildOptions& out) {
  out.memory = TRY(call.number("memory", 0));
  out.memory_swap = TRY(call.number("memswap", 0));
  out.cpu_shares = TRY(call.number("cpushares", 0));
  out.cpu_period = TRY(call.number("cpuperiod", 0));
  out.cpu_quota = TRY(call.number("cpuquota", 0));
  out.shm_size = TRY(call.number("shmsize", 0));
  out.cpuset_cpus = call.get("cpusetcpus");
  out.cpuset_mems = call.get("cpusetmems");
  out.cgroup_parent = call.get("cgroupparent");
  if (std::string ulimits = call.get("ulimits"); ulimits != "null") out.ulimits_json = std::move(ulimits);
  return {};
}

Result<std::vector<std::string>> parse_tags(const Call& call) {
  std::vector<std::string> out;
  for (const auto& name : call.request.all("t")) {
    if (name.empty()) continue;
    auto reference = TRY(oci::parse_reference(name));
    if (!reference.digest.empty()) return fail(Code::InvalidArgument, "build tag cannot contain a digest");
    out.push_back(reference.familiar());
  }
  return out;
}

Result<build::BuildOptions> parse_options(const Call& call) {
  build::BuildOptions out;
  out.dockerfile = call.get("dockerfile", "Dockerfile");
  if (out.dockerfile.empty()) out.dockerfile = "Dockerfile";
  out.tags = TRY(parse_tags(call));
  out.build_args = TRY((json_query<std::map<std::string, std::optional<std::string>>>(call, "buildargs")));
  out.labels = TRY((json_query<std::map<std::string, std::string>>(call, "labels")));
  out.cache_from = TRY(json_query<std::vector<std::string>>(call, "cachefrom"));
  for (const auto& value : call.request.all("extrahosts")) {
    for (auto& host : split(value, ',')) out.extra_hosts.push_back(std::move(host));
  }
  out.target = call.get("target");
  out.platform = call.version >= Version{1, 32} ? call.get("platform") : "";
  out.network_mode = call.get("networkmode");
  out.no_cache = call.flag("nocache");
  out.pull = call.flag("pull");
  out.quiet = call.flag("q");
  out.remove = call.flag("rm", true);
  out.force_remove = call.flag("forcerm");
  out.squash = call.flag("squash");
  out.credentials = parse_registry_config(call.request.header("X-Registry-Config"));
  TRY(add_limits(call, out));
  return out;
}

/// A directory that is this build's own; what a crash leaves is swept with the other temporary files.
std::string scratch_dir(const Call& call) {
  static std::atomic<uint64_t> count = 0;
  return fmt::format("{}/tmp/build-{}-{}", call.engine().options().data_root, ::getpid(), ++count);
}

}  // namespace

Result<void> build(Call& call, ByteSource& body, Reply& reply) {
  TRY(check_supported(call));
  auto options = TRY(parse_options(call));
  if (options.squash) return fail(Code::NotImplemented, "squash is not implemented");
  auto& engine = call.engine();
  auto runner = engine::make_step_runner(engine);
  ProgressStream stream(reply);
  // With q=1 the id is all that is wanted, at the end.
  image::ProgressSink sink = options.quiet ? image::ProgressSink([](const image::ProgressLine&) {}) : stream.sink();
  auto built = TRY(build::build_image(body, options, engine.images(), engine.store(), *runner, scratch_dir(call), sink,
                                      reply.cancel()));
  if (options.quiet) {
    image::ProgressLine line;
    line.stream = built + "\n";
    stream.write(line);
  }
  return reply.start();
}

namespace {

constexpr std::string_view kPruneFilters[] = {"id",     "parent",  "type",  "description", "inuse",
                                              "shared", "private", "until", "unused-for"};

/// The same number under the name of each age of the API.
Result<int64_t> bytes_of(const Call& call, const char* key, const char* older = nullptr) {
  const char* said = older && call.get(key).empty() ? older : key;
  int64_t bytes = TRY(call.number(said, 0));
  if (bytes < 0) return fail(Code::InvalidArgument, "{} is in bytes and expects an integer: {}", said, bytes);
  return bytes;
}

}  // namespace

Result<http::Response> prune_build(Call& call) {
  engine::BuildCachePrune request;
  request.filters = TRY(parse_filters(call, kPruneFilters));
  request.all = call.flag("all");
  request.reserved_space = TRY(bytes_of(call, "reserved-space", "keep-storage"));
  if (call.version >= Version{1, 48}) {
    request.max_used_space = TRY(bytes_of(call, "max-used-space"));
    request.min_free_space = TRY(bytes_of(call, "min-free-space"));
  }
  auto guard = TRY(PruneGuard::acquire(call.services, PruneKind::Build));
  auto pruned = TRY(engine::prune_build_cache(call.engine(), request));
  return json_answer(
      200, json::object{{"CachesDeleted", null_if_empty(pruned.deleted)}, {"SpaceReclaimed", pruned.space_reclaimed}});
}

}  // namespace sampan::api
