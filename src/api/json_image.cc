#include "api/internal/json_image.h"

#include "base/strings.h"

namespace sampan::api {
namespace {

/// Until 1.43 an image without any name was shown with "<none>" for both kinds, and a missing kind as null.
json::value names_or_none(const image::ImageRecord& image, const std::vector<std::string>& names, const char* none,
                          Version version) {
  if (!names.empty() || version >= Version{1, 43}) return codec::write_json(names);
  if (image.repo_tags.empty() && image.repo_digests.empty()) return json::array{none};
  return nullptr;
}

/// The image's configuration with the members that a container's has; before 1.50 all of them were shown.
json::object image_config(const oci::ImageConfig& config, Version version) {
  json::object out;
  if (version < Version{1, 50}) {
    out = {{"Hostname", ""},        {"Domainname", ""},      {"AttachStdin", false},
           {"AttachStdout", false}, {"AttachStderr", false}, {"Tty", false},
           {"OpenStdin", false},    {"StdinOnce", false},    {"Image", ""}};
  }
  out["User"] = config.user;
  if (!config.exposed_ports.empty()) out["ExposedPorts"] = codec::write_json(config.exposed_ports);
  out["Env"] = null_if_empty(config.env);
  out["Cmd"] = or_null(config.cmd);
  if (config.healthcheck) out["Healthcheck"] = codec::write_json(*config.healthcheck);
  if (config.args_escaped) out["ArgsEscaped"] = true;
  out["Volumes"] = null_if_empty(config.volumes);
  out["WorkingDir"] = config.working_dir;
  out["Entrypoint"] = or_null(config.entrypoint);
  out["OnBuild"] = null_if_empty(config.on_build);
  out["Labels"] = null_if_empty(config.labels);
  if (!config.stop_signal.empty()) out["StopSignal"] = config.stop_signal;
  if (config.shell) out["Shell"] = codec::write_json(*config.shell);
  return out;
}

json::object graph_driver(const ImageDirs& dirs) {
  json::object data;
  if (!dirs.lower.empty()) data["LowerDir"] = join(dirs.lower, ":");
  if (!dirs.upper.empty()) data["UpperDir"] = dirs.upper;
  return {{"Data", data.empty() ? json::value(nullptr) : json::value(std::move(data))}, {"Name", "overlay2"}};
}

}  // namespace

json::object format_image_row(const image::ImageRecord& image, const ImageRow& row, Version version) {
  json::object out;
  out["Id"] = image.id;
  out["ParentId"] = image.parent;
  out["RepoTags"] = names_or_none(image, image.repo_tags, "<none>:<none>", version);
  out["RepoDigests"] = names_or_none(image, image.repo_digests, "<none>@<none>", version);
  out["Created"] = unix_seconds(image.config.created);
  out["Size"] = image.size;
  if (version < Version{1, 44}) out["VirtualSize"] = image.size;
  out["SharedSize"] = row.shared_size;
  out["Labels"] = null_if_empty(image.config.config.labels);
  out["Containers"] = row.containers;
  return out;
}

json::object format_image_inspect(const image::ImageRecord& image, const ImageDirs& dirs, Version version) {
  const oci::Image& config = image.config;
  json::object out;
  out["Id"] = image.id;
  out["RepoTags"] = codec::write_json(image.repo_tags);
  out["RepoDigests"] = codec::write_json(image.repo_digests);
  out["Parent"] = image.parent;
  out["Comment"] = config.history.empty() ? "" : config.history.back().comment;
  if (!config.created.empty() || version < Version{1, 44})
    out["Created"] = config.created.empty() ? "0001-01-01T00:00:00Z" : config.created;
  if (version < Version{1, 45}) {
    out["Container"] = config.container;
    out["ContainerConfig"] = image_config(oci::ImageConfig(), version);
  }
  out["DockerVersion"] = config.docker_version;
  out["Author"] = config.author;
  out["Config"] = image_config(config.config, version);
  out["Architecture"] = config.architecture;
  if (!config.variant.empty()) out["Variant"] = config.variant;
  out["Os"] = config.os;
  out["Size"] = image.size;
  if (version < Version{1, 44}) out["VirtualSize"] = image.size;
  out["GraphDriver"] = graph_driver(dirs);
  json::object root{{"Type", json::string(config.rootfs.type)}};
  if (!config.rootfs.diff_ids.empty()) root["Layers"] = codec::write_json(config.rootfs.diff_ids);
  out["RootFS"] = std::move(root);
  out["Metadata"] = json::object{{"LastTagTime", "0001-01-01T00:00:00Z"}};
  return out;
}

json::array format_history(const image::ImageRecord& image, const std::vector<int64_t>& layer_sizes) {
  json::array out;
  size_t layer = 0;
  const auto& history = image.config.history;
  for (size_t i = history.size(); i-- > 0;) {
    const auto& step = history[i];
    int64_t size = 0;
    if (!step.empty_layer && layer < layer_sizes.size()) size = layer_sizes[layer++];
    bool top = i + 1 == history.size();
    out.push_back(json::object{{"Id", json::string(top ? image.id : "<missing>")},
                               {"Created", unix_seconds(step.created)},
                               {"CreatedBy", json::string(step.created_by)},
                               {"Tags", top ? null_if_empty(image.repo_tags) : json::value(nullptr)},
                               {"Size", size},
                               {"Comment", json::string(step.comment)}});
  }
  return out;
}

json::array format_removed(const std::vector<image::RemovedImage>& removed) {
  json::array out;
  for (const auto& entry : removed) {
    if (!entry.untagged.empty()) out.push_back(json::object{{"Untagged", json::string(entry.untagged)}});
    if (!entry.deleted.empty()) out.push_back(json::object{{"Deleted", json::string(entry.deleted)}});
  }
  return out;
}

}  // namespace sampan::api
