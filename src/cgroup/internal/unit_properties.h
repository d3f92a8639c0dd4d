#pragma once
// unit_properties: what a container's limits and annotations are called by systemd. Pure.
// Source: systemd.resource-control(5), org.freedesktop.systemd1(5).

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "cgroup/internal/dbus_wire.h"
#include "oci/spec.h"

namespace sampan::cgroup::internal {

/// A list of numbers ("0-2,7") as systemd takes a CPU or node mask: one bit each, lowest byte first.
Result<std::vector<uint8_t>> parse_mask(std::string_view list);
/// DevicePolicy and DeviceAllow. systemd knows allow-lists only: where everything is allowed, its policy is "auto", and
/// the exceptions are left to the device program that the devices controller installs.
Result<std::vector<UnitProperty>> device_properties(const std::vector<oci::DeviceRule>& rules);
/// The limits that systemd knows; it would undo them at its next reload if they were only in the files. All limits are
/// in the files as well.
Result<std::vector<UnitProperty>> limit_properties(const oci::Resources& resources, Version version);
/// The `org.systemd.property.<Name>` annotations: values in GVariant's text ("uint64 5", "'text'", "['a.service']").
/// A name that ends in "Sec" becomes "USec", its seconds microseconds.
/// Errors: InvalidArgument (a name that is not allowed, a value of another type).
Result<std::vector<UnitProperty>> annotation_properties(const std::map<std::string, std::string>& annotations);

}  // namespace sampan::cgroup::internal
