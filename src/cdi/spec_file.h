#pragma once
// cdi/spec_file: one file as its vendor wrote it, checked. Pure.

#include <boost/describe/class.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json_style.h"

namespace sampan::cdi {

struct DeviceNode {
  std::string path, host_path;  // in the container, on the host; the latter empty: the same
  std::string type;             // "b", "c", "u", "p"; empty: as on the host
  std::optional<int64_t> major, minor;
  std::optional<uint32_t> file_mode, uid, gid;
  std::string permissions;  // of "rwm"
};
struct Mount {
  std::string host_path, container_path, type;
  std::vector<std::string> options;
};
struct Hook {
  std::string hook_name, path;  // "createRuntime", ...
  std::vector<std::string> args, env;
  std::optional<int64_t> timeout;  // seconds
};
struct IntelRdt {
  std::string clos_id, l3_cache_schema, mem_bw_schema;
  bool enable_cmt = false, enable_mbm = false;
};
struct ContainerEdits {
  std::vector<std::string> env;
  std::vector<DeviceNode> device_nodes;
  std::vector<Mount> mounts;
  std::vector<Hook> hooks;
  std::optional<IntelRdt> intel_rdt;
  std::vector<uint32_t> additional_gids;
};
struct Device {
  std::string name;
  std::map<std::string, std::string> annotations;
  ContainerEdits container_edits;
};
struct SpecFile {
  std::string path;  // of the file itself
  std::string cdi_version, kind;
  std::map<std::string, std::string> annotations;
  std::vector<Device> devices;
  ContainerEdits container_edits;  // of every device
};

/// Either syntax: JSON is YAML. Errors: InvalidArgument naming the member: `devices[0].containerEdits.env[1]: ...`.
Result<SpecFile> parse_spec_file(const std::string& text);

BOOST_DESCRIBE_STRUCT(DeviceNode, (), (path, host_path, type, major, minor, file_mode, uid, gid, permissions))
BOOST_DESCRIBE_STRUCT(Mount, (), (host_path, container_path, type, options))
BOOST_DESCRIBE_STRUCT(Hook, (), (hook_name, path, args, env, timeout))
BOOST_DESCRIBE_STRUCT(IntelRdt, (), (clos_id, l3_cache_schema, mem_bw_schema, enable_cmt, enable_mbm))
BOOST_DESCRIBE_STRUCT(ContainerEdits, (), (env, device_nodes, mounts, hooks, intel_rdt, additional_gids))
BOOST_DESCRIBE_STRUCT(Device, (), (name, annotations, container_edits))
BOOST_DESCRIBE_STRUCT(SpecFile, (), (cdi_version, kind, annotations, devices, container_edits))

namespace internal {
inline constexpr codec::JsonName kNames[] = {{"clos_id", "closID"},
                                             {"l3_cache_schema", "l3CacheSchema"},
                                             {"enable_cmt", "enableCMT"},
                                             {"enable_mbm", "enableMBM"}};
}  // namespace internal
template <typename T>
constexpr codec::JsonStyle json_style(const T*) {
  return {codec::Naming::Camel, codec::Emit::NonEmpty, internal::kNames};
}

}  // namespace sampan::cdi
