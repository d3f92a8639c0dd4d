#pragma once
// cli/values/values: the little languages inside Docker's flag values, each parsed to the API's JSON. Pure, but for the
// file readers, which say so.

#include <boost/json/fwd.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sampan::cli {

// --- numbers -------------------------------------------------------------------------------------------------------
/// Errors: Docker's `strconv.ParseInt: parsing "x": invalid syntax`.
Result<int64_t> parse_integer(std::string_view text);
Result<uint64_t> parse_unsigned(std::string_view text, int bits = 64);
Result<bool> parse_boolean(std::string_view text);
/// "1.5" -> 1500000000.
Result<int64_t> parse_cpus(std::string_view text);
Result<int64_t> parse_bytes(std::string_view text);

// --- devices and limits (device.cc) --------------------------------------------------------------------------------
Result<boost::json::value> parse_ulimit(const std::string& text);
Result<boost::json::value> parse_device(const std::string& text);
Result<boost::json::value> parse_device_rate(const std::string& text);
Result<boost::json::value> parse_device_iops(const std::string& text);
Result<boost::json::value> parse_device_weight(const std::string& text);
Result<boost::json::value> parse_gpus(const std::string& text);
/// "c 1:3 rwm".
bool is_device_rule(std::string_view text);
Result<std::pair<std::string, std::string>> parse_sysctl(const std::string& text);

// --- ports (port.cc) -----------------------------------------------------------------------------------------------
struct PublishedPort {
  std::string container_port;  // "80/tcp"
  std::string host_ip;
  std::string host_port;  // "", "8080" or "8080-8090"
};
/// "[ip:][host[-host]:]container[-container][/proto]", or the long form "target=80,published=8080,protocol=tcp".
Result<std::vector<PublishedPort>> parse_publish(const std::string& text);
/// "7-8/tcp" -> "7/tcp", "8/tcp".
Result<std::vector<std::string>> parse_expose(const std::string& text);

// --- mounts (mount.cc, volume.cc) ----------------------------------------------------------------------------------
Result<boost::json::value> parse_mount(const std::string& text);
struct VolumeArgument {
  bool anonymous = false;  // only a target: goes to Volumes
  std::string text;        // what goes to Binds, or the target
};
/// A relative source is made absolute against `directory`.
VolumeArgument parse_volume(const std::string& text, const std::string& directory);

// --- networks (network.cc) -----------------------------------------------------------------------------------------
struct NetworkAttachment {
  std::string name;
  std::vector<std::string> aliases, links, link_local_ips;
  std::string ipv4, ipv6, mac_address;
  std::map<std::string, std::string> driver_options;
  int64_t gateway_priority = 0;
};
Result<NetworkAttachment> parse_network(const std::string& text);
boost::json::value endpoint_json(const NetworkAttachment& attachment);
/// True for default, bridge, host, none and container:x: no endpoints are configured by the user there.
bool is_predefined_network(std::string_view name);

// --- environment and labels (environment.cc) -----------------------------------------------------------------------
/// Go's words for a file that cannot be opened: "open x: no such file or directory".
Error open_failure(const std::string& path, const Error& error);
/// NAME takes its value from this process; nullopt when it has none (Docker then leaves the variable out).
std::optional<std::string> resolve_env(const std::string& text);
/// Reads a file of NAME=value lines. Blocks: reads the file.
Result<std::vector<std::string>> read_env_file(const std::string& path, bool with_environment);
/// "seccomp=FILE" becomes "seccomp=<content>". Blocks: reads the file.
Result<std::vector<std::string>> read_security_options(const std::vector<std::string>& options);

}  // namespace sampan::cli
