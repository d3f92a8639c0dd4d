// From the flags of run and create to the body of POST /containers/create.
#include <unistd.h>

#include "base/strings.h"
#include "cli/values/body.h"
#include "cli/values/kind.h"
#include "cli/values/values.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

Error conflict(std::string text) {
  return Error(Code::InvalidArgument, std::move(text));
}

Result<void> put_environment(const Arguments& arguments, json::object& body) {
  std::vector<std::string> env;
  for (const std::string& file : arguments.all("env-file")) {
    for (std::string& line : TRY(read_env_file(file, true))) env.push_back(std::move(line));
  }
  for (const std::string& text : arguments.all("env")) {
    if (auto resolved = resolve_env(text)) env.push_back(*resolved);
  }
  if (!env.empty()) body["Env"] = codec::write_json(env);
  std::vector<std::string> labels;
  for (const std::string& file : arguments.all("label-file")) {
    for (std::string& line : TRY(read_env_file(file, false))) labels.push_back(std::move(line));
  }
  // A label given on the command line wins over one from a file.
  json::object merged = pairs_to_object(labels);
  if (auto* given = body.if_contains("Labels")) {
    for (const auto& item : given->get_object()) merged[item.key()] = item.value();
  }
  if (!merged.empty()) body["Labels"] = merged;
  return {};
}

Result<void> put_ports(const Arguments& arguments, json::object& body, json::object& host) {
  json::object exposed, bindings;
  for (const std::string& text : arguments.all("publish")) {
    for (const PublishedPort& port : TRY(parse_publish(text))) {
      exposed[port.container_port] = json::object();
      auto& list = bindings[port.container_port];
      if (!list.is_array()) list = json::array();
      list.get_array().push_back(json::object{{"HostIp", port.host_ip}, {"HostPort", port.host_port}});
    }
  }
  for (const std::string& text : arguments.all("expose")) {
    for (const std::string& port : TRY(parse_expose(text))) exposed[port] = json::object();
  }
  if (!exposed.empty()) body["ExposedPorts"] = exposed;
  if (!bindings.empty()) host["PortBindings"] = bindings;
  return {};
}

void put_volumes(const Arguments& arguments, json::object& body, json::object& host) {
  char directory[4096] = "";
  (void)::getcwd(directory, sizeof directory);  // only relative sources need it; the daemon refuses what stays relative
  json::array binds;
  json::object anonymous;
  for (const std::string& text : arguments.all("volume")) {
    VolumeArgument volume = parse_volume(text, directory);
    if (volume.anonymous) {
      anonymous[volume.text] = json::object();
    } else {
      binds.emplace_back(volume.text);
    }
  }
  if (!binds.empty()) host["Binds"] = binds;
  if (!anonymous.empty()) body["Volumes"] = anonymous;
}

// The flags of the first network (--ip, --network-alias, ...) join what its long form says.
Result<void> put_single_network_flags(const Arguments& arguments, NetworkAttachment& first) {
  auto refuse_twice = [&](const std::string& flag, const std::string& in_network) -> Result<void> {
    if (flag.empty() || in_network.empty()) return {};
    return conflict("conflicting options: cannot specify both --" + flag + " and per-network " + in_network);
  };
  if (arguments.has("ip")) TRY(refuse_twice("ip", first.ipv4));
  if (arguments.has("ip6")) TRY(refuse_twice("ip6", first.ipv6));
  if (arguments.has("mac-address")) TRY(refuse_twice("mac-address", first.mac_address));
  if (arguments.has("ip")) first.ipv4 = arguments.get("ip");
  if (arguments.has("ip6")) first.ipv6 = arguments.get("ip6");
  if (arguments.has("mac-address")) first.mac_address = arguments.get("mac-address");
  for (const std::string& alias : arguments.all("network-alias")) first.aliases.push_back(alias);
  for (const std::string& ip : arguments.all("link-local-ip")) first.link_local_ips.push_back(ip);
  if (!is_predefined_network(first.name)) {
    for (const std::string& link : arguments.all("link")) first.links.push_back(link);
  }
  return {};
}

Result<void> put_networks(const Arguments& arguments, json::object& body, json::object& host) {
  std::vector<NetworkAttachment> networks;
  for (const std::string& text : arguments.all("network")) networks.push_back(TRY(parse_network(text)));
  if (networks.empty()) networks.push_back({.name = "default"});
  if (networks.size() > 1) {
    for (const NetworkAttachment& network : networks) {
      if (network.name == "default" || network.name == "host" || network.name == "none" ||
          network.name.starts_with("container:")) {
        return conflict("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
      }
    }
  }
  TRY(put_single_network_flags(arguments, networks[0]));
  if (networks[0].name == "host" && arguments.has("network-alias")) {
    return conflict("conflicting options: cannot specify --network-alias with host networking");
  }
  host["NetworkMode"] = networks[0].name;
  json::object endpoints;
  for (const NetworkAttachment& network : networks) {
    json::value endpoint = endpoint_json(network);
    if (!is_predefined_network(network.name) || !endpoint.get_object().empty()) endpoints[network.name] = endpoint;
  }
  if (!endpoints.empty()) body["NetworkingConfig"] = json::object{{"EndpointsConfig", endpoints}};
  return {};
}

Result<void> put_health(const Arguments& arguments, json::object& body) {
  bool any = false;
  for (const char* name : {"health-cmd", "health-interval", "health-timeout", "health-retries", "health-start-period",
                           "health-start-interval"}) {
    any = any || arguments.has(name);
  }
  if (arguments.flag("no-healthcheck")) {
    if (any) return conflict("--no-healthcheck conflicts with --health-* options");
    put_value(body, "Healthcheck.Test", json::array{json::string("NONE")}, false);
    return {};
  }
  for (const char* name : {"health-interval", "health-timeout", "health-start-period", "health-start-interval"}) {
    auto nanos = value_to_json(Kind::Duration, arguments.has(name) ? arguments.get(name) : "0s");
    if (nanos && nanos->as_int64() < 0) return conflict(fmt::format("--{} cannot be negative", name));
  }
  if (arguments.number("health-retries") < 0) return conflict("--health-retries cannot be negative");
  if (!arguments.get("health-cmd").empty()) {
    put_value(body, "Healthcheck.Test",
              json::array{json::string("CMD-SHELL"), json::string(arguments.get("health-cmd"))}, false);
  }
  return {};
}

// host, private, shareable, none, container:x ...: the words that each namespace flag knows.
Result<void> check_modes(const Arguments& arguments) {
  struct Mode {
    const char* flag;
    const char* what;
    std::vector<std::string_view> words;
    bool other_container;
  };
  const Mode modes[] = {{"pid", "PID", {"", "host"}, true},
                        {"uts", "UTS", {"", "host"}, false},
                        {"userns", "USER", {"", "host"}, false},
                        {"cgroupns", "CGROUP", {"", "host", "private"}, false}};
  for (const Mode& mode : modes) {
    std::string value = arguments.get(mode.flag);
    bool known = std::ranges::find(mode.words, value) != mode.words.end() ||
                 (mode.other_container && value.starts_with("container:") && value.size() > 10);
    if (!known) return conflict(fmt::format("--{}: invalid {} mode", mode.flag, mode.what));
  }
  return {};
}

Result<void> check_options(const Arguments& arguments) {
  int64_t swappiness = arguments.number("memory-swappiness");
  if (swappiness != -1 && (swappiness < 0 || swappiness > 100)) {
    return conflict(fmt::format("invalid value: {}. Valid memory swappiness range is 0-100", swappiness));
  }
  if (arguments.has("storage-opt")) {
    for (const std::string& text : arguments.all("storage-opt")) {
      if (text.find('=') == std::string::npos) return conflict("invalid storage option");
    }
  }
  if (arguments.get("log-driver") == "none" && arguments.has("log-opt")) {
    return conflict("invalid logging opts for driver none");
  }
  std::string restart = arguments.get("restart");
  if (arguments.flag("rm") && restart != "no" && !restart.empty()) {
    return conflict("conflicting options: cannot specify both --restart and --rm");
  }
  std::string pull = arguments.get("pull");
  if (pull != "always" && pull != "missing" && pull != "never" && !pull.empty()) {
    return conflict(
        fmt::format("invalid pull option: '{}': must be one of \"always\", \"missing\" or \"never\"", pull));
  }
  return check_modes(arguments);
}

void put_streams(const Arguments& arguments, bool detached, json::object& body, CreateRequest& request) {
  request.tty = arguments.flag("tty");
  request.open_stdin = arguments.flag("interactive");
  auto named = arguments.all("attach");
  for (std::string& name : named) name = to_lower(name);
  auto attached = [&](std::string_view stream) { return std::ranges::find(named, stream) != named.end(); };
  bool all = named.empty() && !detached;
  request.attach_stdin = attached("stdin") || (all && request.open_stdin);
  request.attach_stdout = attached("stdout") || all;
  request.attach_stderr = attached("stderr") || all;
  body["AttachStdin"] = request.attach_stdin;
  body["AttachStdout"] = request.attach_stdout;
  body["AttachStderr"] = request.attach_stderr;
  if (request.open_stdin && request.attach_stdin) body["StdinOnce"] = true;
}

void put_command(const Arguments& arguments, json::object& body) {
  const auto& words = arguments.positional;
  body["Image"] = words[0];
  if (words.size() > 1) body["Cmd"] = codec::write_json(std::vector<std::string>(words.begin() + 1, words.end()));
}

}  // namespace

/// --device takes both nodes of the host and names of described devices; the API has a place for each.
void take_named_devices(json::object& host) {
  auto* found = host.if_contains("Devices");
  if (!found || !found->is_array()) return;
  json::array nodes, names;
  for (auto& device : found->get_array()) {
    const auto& source = device.at("PathOnHost");
    (source.as_string().starts_with('/') ? nodes : names)
        .push_back(source.as_string().starts_with('/') ? device : source);
  }
  if (names.empty()) return;
  host["Devices"] = std::move(nodes);
  host["DeviceRequests"] = json::array{json::object{{"Driver", "cdi"}, {"DeviceIDs", std::move(names)}}};
}

Result<CreateRequest> make_create_request(const Arguments& arguments, bool detached) {
  TRY(check_options(arguments));
  CreateRequest request;
  request.image = arguments.positional[0];
  request.auto_remove = arguments.flag("rm");
  json::object body;
  TRY(fill_body(arguments, body));
  put_command(arguments, body);
  put_streams(arguments, detached, body, request);
  TRY(put_environment(arguments, body));
  TRY(put_health(arguments, body));
  auto& host_slot = body["HostConfig"];
  if (!host_slot.is_object()) host_slot = json::object();
  json::object host = host_slot.get_object();
  TRY(put_ports(arguments, body, host));
  put_volumes(arguments, body, host);
  TRY(put_networks(arguments, body, host));
  auto security = TRY(read_security_options(arguments.all("security-opt")));
  if (!security.empty()) host["SecurityOpt"] = codec::write_json(security);
  take_named_devices(host);
  for (const std::string& gpus : arguments.all("gpus")) {
    put_value(host, "DeviceRequests", TRY(value_to_json(Kind::Gpus, gpus)), true);
  }
  if (arguments.has("cidfile")) host["ContainerIDFile"] = arguments.get("cidfile");
  // The daemon's default is its own: a flag that is not given is not sent.
  if (arguments.number("memory-swappiness") == -1) host.erase("MemorySwappiness");
  body["HostConfig"] = host;
  request.body = codec::format_json(body);
  return request;
}

}  // namespace sampan::cli
