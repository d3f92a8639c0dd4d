#pragma once
// Device nodes that every container has, and the rules that let it use them. Pure but for open_dev() and host_node().
// Source: runtime-spec config-linux.md "Default Devices".

#include <string>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"
#include "sys/fd.h"

namespace sampan::runtime::internal {

std::vector<oci::Device> default_devices();
/// What was asked, after refusing everything, and then what every container needs (its terminals, /dev/null, ...).
std::vector<oci::DeviceRule> device_rules(const std::vector<oci::DeviceRule>& asked);
/// Where the host has the device: at the same path, or where the kernel names it; the same path when neither is it.
std::string host_node(const oci::Device& device);
/// /dev inside the root, made when missing, never through a symbolic link.
Result<sys::Fd> open_dev(int root);

}  // namespace sampan::runtime::internal
