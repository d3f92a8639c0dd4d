// Images in and out: pull, import, push, save, load.
#include <chrono>

#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "api/internal/progress.h"
#include "base/strings.h"
#include "codec/text.h"
#include "engine/changes.h"
#include "image/archive.h"

namespace sampan::api {
namespace {

/// The events that the engine does not write itself: it leaves these operations to the image store.
void note(Call& call, const char* action, const std::string& id, const std::string& name) {
  engine::Event event;
  event.type = "image";
  event.action = action;
  event.actor_id = id;
  event.attributes["name"] = name;
  auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
  event.time.unix_nanos = now.count();
  (void)call.engine().events().append(std::move(event));  // the work is done; a full disk shows at the next write
}

/// repo[:tag], where the tag may be a digest and may come apart.
Result<oci::Reference> join_reference(const std::string& name, const std::string& tag, oci::DefaultTag default_tag) {
  if (tag.empty()) return oci::parse_reference(name, default_tag);
  bool digest = tag.find(':') != std::string::npos;
  return oci::parse_reference(name + (digest ? "@" : ":") + tag, default_tag);
}

Result<std::optional<oci::Platform>> platform_of(const Call& call) {
  std::string text = call.get("platform");
  if (text.empty()) return std::optional<oci::Platform>();
  return std::optional<oci::Platform>(TRY(oci::parse_platform(text)));
}

Result<void> pull_all_tags(Call& call, const oci::Reference& repository, Reply& reply,
                           const image::ProgressSink& sink) {
  auto credentials = registry::parse_registry_auth(call.request.header("X-Registry-Auth"));
  auto platform = TRY(platform_of(call));
  for (auto& tag : TRY(call.engine().registry().list_tags(repository, credentials, reply.cancel()))) {
    oci::Reference one = repository;
    one.tag = tag;
    TRY(call.engine().pull_image(one, platform, credentials, sink, reply.cancel()));
  }
  return {};
}

Result<void> pull(Call& call, Reply& reply) {
  auto reference = TRY(join_reference(call.get("fromImage"), call.get("tag"), oci::DefaultTag::No));
  ProgressStream stream(reply);
  stream.hold_first_line();
  if (reference.tag.empty() && reference.digest.empty()) {
    TRY(pull_all_tags(call, reference, reply, stream.sink()));
  } else {
    auto credentials = registry::parse_registry_auth(call.request.header("X-Registry-Auth"));
    TRY(call.engine().pull_image(reference, TRY(platform_of(call)), credentials, stream.sink(), reply.cancel()));
  }
  stream.release();
  return {};
}

Result<void> import(Call& call, ByteSource& body, Reply& reply) {
  std::string source = call.get("fromSrc");
  if (source != "-")
    return fail(Code::NotImplemented, "importing from a URL (fromSrc={}) is not implemented: send the tar as the body",
                source);
  oci::ImageConfig config;
  TRY(engine::apply_changes(change_lines(call.request), config));
  std::optional<oci::Reference> tag;
  if (std::string repo = call.get("repo"); !repo.empty())
    tag = TRY(join_reference(repo, call.get("tag"), oci::DefaultTag::Yes));
  auto tar = image::make_decompressor(body);
  auto id = TRY(
      call.engine().images().import(*tar, config, call.get("message"), tag, TRY(platform_of(call)), reply.cancel()));
  note(call, "import", id, tag ? tag->familiar() : id);
  image::ProgressLine line;
  line.status = id;
  return reply.write(format_progress(line));
}

Result<void> save(Call& call, const std::vector<std::string>& names, Reply& reply) {
  if (!call.get("platform").empty())
    return fail(Code::NotImplemented, "saving one platform of an image (platform=) is not implemented");
  if (names.empty()) return fail(Code::InvalidArgument, "no image was named");
  reply.set_head({200, {{"Content-Type", "application/x-tar"}}, ""});
  std::vector<std::pair<std::string, std::string>> saved;
  for (const auto& name : names) saved.emplace_back(TRY(call.engine().images().get(name)).id, name);
  TRY(call.engine().images().save(names, reply, reply.cancel()));
  for (const auto& [id, name] : saved) note(call, "save", id, name);
  return {};
}

}  // namespace

Result<void> create_image(Call& call, ByteSource& body, Reply& reply) {
  if (!call.get("fromImage").empty()) return pull(call, reply);
  if (call.get("fromSrc").empty()) return fail(Code::InvalidArgument, "one of fromImage and fromSrc is required");
  return import(call, body, reply);
}

Result<void> push_image(Call& call, ByteSource&, Reply& reply) {
  if (!call.get("platform").empty())
    return fail(Code::NotImplemented, "pushing one platform of an image (platform=) is not implemented");
  auto credentials = registry::parse_registry_auth(call.request.header("X-Registry-Auth"));
  auto reference = TRY(join_reference(call.name, call.get("tag"), oci::DefaultTag::No));
  std::vector<oci::Reference> targets;
  if (!reference.tag.empty()) {
    targets.push_back(reference);
  } else {  // every tag of the repository
    for (const auto& image : TRY(call.engine().images().list())) {
      for (const auto& tag : image.repo_tags) {
        auto parsed = TRY(oci::parse_reference(tag));
        if (parsed.name() == reference.name()) targets.push_back(std::move(parsed));
      }
    }
  }
  if (targets.empty())
    return fail(Code::NotFound, "An image does not exist locally with the tag: {}", reference.familiar_name());
  ProgressStream stream(reply);
  for (const auto& target : targets) {
    TRY(call.engine().images().push(target, credentials, stream.sink(), reply.cancel()));
    note(call, "push", target.familiar(), target.familiar_name());
  }
  return {};
}

Result<void> save_image(Call& call, ByteSource&, Reply& reply) {
  return save(call, {call.name}, reply);
}

Result<void> save_images(Call& call, ByteSource&, Reply& reply) {
  std::vector<std::string> names;
  for (const auto& value : call.request.all("names")) {
    for (auto& name : split(value, ',')) names.push_back(std::move(name));
  }
  return save(call, names, reply);
}

Result<void> load_images(Call& call, ByteSource& body, Reply& reply) {
  if (!call.get("platform").empty())
    return fail(Code::NotImplemented, "loading one platform of an archive (platform=) is not implemented");
  ProgressStream stream(reply);
  image::ProgressSink sink =
      call.flag("quiet", true) ? image::ProgressSink([](const image::ProgressLine&) {}) : stream.sink();
  auto loaded = TRY(call.engine().load_images(body, sink, reply.cancel()));
  for (const auto& name : loaded) {
    image::ProgressLine line;
    line.stream = name.starts_with("sha256:") ? "Loaded image ID: " + name + "\n" : "Loaded image: " + name + "\n";
    stream.write(line);
  }
  return reply.start();
}

}  // namespace sampan::api
