#pragma once
// network/records: networks as they are asked for and as they are stored.

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/internal/ipv4.h"
#include "network/network.h"
#include "store/store.h"

namespace sampan::network {

inline constexpr const char* kOptionBridgeName = "com.docker.network.bridge.name";
inline constexpr const char* kOptionIcc = "com.docker.network.bridge.enable_icc";
inline constexpr const char* kOptionMasquerade = "com.docker.network.bridge.enable_ip_masquerade";
inline constexpr const char* kOptionHostBinding = "com.docker.network.bridge.host_binding_ipv4";
inline constexpr const char* kOptionMtu = "com.docker.network.driver.mtu";

/// Options that are on unless they say "false" or "0".
bool is_option_on(const NetworkRecord& network, const char* key);
/// 0 when none was asked for.
uint32_t mtu_of(const NetworkRecord& network);

std::string random_hex_id();

/// All records; one that does not parse is set aside. Errors: those of the store.
Result<std::vector<NetworkRecord>> load_records(store::Store& store);
Result<void> save_record(store::Store& store, const NetworkRecord& record);
Result<void> delete_record(store::Store& store, const std::string& id);

/// "bridge", "host" and "none" as a fresh daemon has them; the bridge's subnet is still to be chosen.
std::vector<NetworkRecord> make_builtin_records(const std::string& default_bridge);
/// Pure but for the id and the time. `existing` are all other networks, `host` is what the host's addresses and routes
/// use. Errors: InvalidArgument, NotFound (driver), Conflict (name), PermissionDenied (predefined, overlap).
Result<NetworkRecord> make_record(const CreateNetwork& request, std::span<const NetworkRecord> existing,
                                  std::span<const Prefix> host);
/// Fills in subnet and gateway: `wanted` is "address/length" of the gateway, or "" for a free pool.
Result<void> choose_addresses(NetworkRecord& record, const std::string& wanted, std::span<const Prefix> taken);

}  // namespace sampan::network
