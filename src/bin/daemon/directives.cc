#include "daemon/directives.h"

namespace sampan::daemon {

namespace {

using S = Settings;
constexpr std::monostate kRefused{};
constexpr Reload kFixed = Reload::No, kReload = Reload::Yes;

constexpr Directive kDirectives[] = {
    // where things are
    {"data-root", "--data-root", &S::data_root, kFixed, "Directory of everything that persists"},
    {"exec-root", "--exec-root", &S::exec_root, kFixed, "Directory of runtime state"},
    {"pidfile", "-p,--pidfile", &S::pidfile, kFixed, "File for the daemon's process id"},
    {"init-path", "--init-path", &S::init_path, kFixed,
     "Program that --init runs as process 1 (default: sampan-init beside this one)"},
    {"shim", "--shim", &S::shim, kFixed, "Path of sampan-shim (default: beside this program)"},
    {"certs-dir", "--certs-dir", &S::certs_dir, kFixed,
     "Certificates of registries: DIR/HOST/{ca.crt,client.cert,client.key}"},
    // who may speak to the daemon
    {"hosts", "-H,--host", &S::hosts, kFixed,
     "Socket to listen on: unix://PATH, tcp://ADDRESS:PORT, fd:// or fd://NAME (repeatable)"},
    {"group", "-G,--group", &S::group, kFixed, "Group of the unix sockets"},
    {"tls", "--tls", &S::tls, kFixed, "Use TLS; implied by --tlsverify"},
    {"tlsverify", "--tlsverify", &S::tlsverify, kFixed, "Use TLS and demand certificates of clients"},
    {"tlscacert", "--tlscacert", &S::tlscacert, kFixed, "Certificates that vouch for clients"},
    {"tlscert", "--tlscert", &S::tlscert, kFixed, "The daemon's own certificate"},
    {"tlskey", "--tlskey", &S::tlskey, kFixed, "The key of the daemon's certificate"},
    // what it tells
    {"debug", "-D,--debug", &S::debug, kReload, "Debug messages"},
    {"log-level", "-l,--log-level", &S::log_level, kFixed,
     "How much the daemon tells: debug, info, warn, error or fatal"},
    {"log-format", "--log-format", &S::log_format, kFixed, "Form of the daemon's messages", "text"},
    {"labels", "--label", &S::labels, kReload, "Label of the daemon, KEY=VALUE (repeatable)"},
    // registries
    {"insecure-registries", "--insecure-registry", &S::insecure_registries, kReload,
     "Registry without TLS, HOST[:PORT] or CIDR (repeatable)"},
    {"registry-mirrors", "--registry-mirror", &S::registry_mirrors, kReload,
     "Registry that is asked before docker.io, https://HOST[:PORT] (repeatable)"},
    {"max-concurrent-downloads", "--max-concurrent-downloads", &S::max_concurrent_downloads, kReload,
     "How many layers of a pull are fetched at a time"},
    {"max-download-attempts", "--max-download-attempts", &S::max_download_attempts, kReload,
     "How often a download that makes no progress is tried"},
    {"http-proxy", "--http-proxy", &S::http_proxy, kFixed, "Proxy for registries over http"},
    {"https-proxy", "--https-proxy", &S::https_proxy, kFixed, "Proxy for registries over https"},
    {"no-proxy", "--no-proxy", &S::no_proxy, kFixed, "Hosts that are reached without the proxy, by commas"},
    // what containers get that do not ask
    {"dns", "--dns", &S::dns, kFixed, "DNS server for containers (repeatable)"},
    {"dns-opts", "--dns-opt", &S::dns_opts, kFixed, "Resolver option for containers (repeatable)"},
    {"dns-search", "--dns-search", &S::dns_search, kFixed, "Search domain for containers (repeatable)"},
    {"log-driver", "--log-driver", &S::log_driver, kFixed, "Log driver of containers"},
    {"log-opts", "--log-opt", &S::log_opts, kFixed, "Option of that log driver, KEY=VALUE (repeatable)"},
    {"default-ulimits", "--default-ulimit", &S::default_ulimits, kFixed,
     "Ulimit of containers, NAME=SOFT[:HARD] (repeatable)"},
    {"default-shm-size", "--default-shm-size", &S::default_shm_size, kFixed, "Size of /dev/shm, with a unit"},
    {"default-ipc-mode", "--default-ipc-mode", &S::default_ipc_mode, kFixed,
     "IPC namespaces of containers: private or shareable"},
    {"default-cgroupns-mode", "--default-cgroupns-mode", &S::default_cgroupns_mode, kFixed,
     "Control group namespaces of containers: private or host"},
    {"cgroup-parent", "--cgroup-parent", &S::cgroup_parent, kFixed, "Control group above those of containers"},
    {"seccomp-profile", "--seccomp-profile", &S::seccomp_profile, kFixed,
     "Profile of containers: builtin, unconfined, or a file"},
    {"no-new-privileges", "--no-new-privileges", &S::no_new_privileges, kFixed,
     "Containers gain no privileges by set-id programs"},
    {"userns-remap", "--userns-remap", &S::userns_remap, kFixed,
     "Containers get subordinate ids of USER[:GROUP], by name or number; default: of dockremap"},
    {"cdi-spec-dirs", "--cdi-spec-dir", &S::cdi_spec_dirs, kFixed,
     "Directory of device descriptions (CDI); the later one wins (repeatable)"},
    {"init", "--init", &S::init, kFixed, "Containers have an init of ours as process 1"},
    {"default-runtime", "--default-runtime", &S::default_runtime, kReload, "Runtime of containers",
     "runc,sampan,io.containerd.runc.v2"},
    // networks
    {"bip", "--bip", &S::bip, kFixed, "Address and mask of the default bridge, CIDR"},
    {"fixed-cidr", "--fixed-cidr", &S::fixed_cidr, kFixed, "Part of the default bridge's subnet for containers, CIDR"},
    {"mtu", "--mtu", &S::mtu, kFixed, "MTU of the default bridge"},
    {"icc", "--icc", &S::icc, kFixed, "Containers on the default bridge reach each other"},
    {"ip", "--ip", &S::ip, kFixed, "Address that ports of the default bridge are published on"},
    {"ip-masq", "--ip-masq", &S::ip_masq, kFixed, "Containers on the default bridge go out with the host's address"},
    {"default-address-pools", "--default-address-pool", &S::default_address_pools, kFixed,
     "Where subnets come from, base=CIDR,size=BITS (repeatable)"},
    {"default-network-opts", "--default-network-opt", &S::default_network_opts, kFixed,
     "Option of new networks, bridge=KEY=VALUE (repeatable)"},
    {"bridge", "-b,--bridge", &S::bridge, kFixed, "none: there is no default bridge, containers are alone by default",
     "none"},
    {"default-gateway", "--default-gateway", &S::default_gateway, kFixed,
     "Where containers on the default bridge send what leaves it (default: the bridge itself)"},
    {"host-gateway-ips", "--host-gateway-ip", &S::host_gateway_ips, kFixed,
     "What --add-host NAME:host-gateway means: one address, or one of each family (repeatable)"},
    {"host-gateway-ip", "", &S::host_gateway_ip, kFixed, "The same, one address: what Docker before 28 reads"},
    // the daemon as a process
    {"live-restore", "--live-restore", &S::live_restore, kReload,
     "Containers run on when the daemon ends; false: it stops them first"},
    {"shutdown-timeout", "--shutdown-timeout", &S::shutdown_timeout, kReload,
     "Seconds that calls under way, and containers that are stopped, have to end when the daemon does; -1: no limit"},
    {"oom-score-adjust", "--oom-score-adjust", &S::oom_score_adjust, kFixed,
     "How ready the kernel is to kill the daemon and its shims for memory, -1000 to 1000"},
    {"node-generic-resources", "--node-generic-resource", &S::node_generic_resources, kFixed,
     "Resource that info shows, KIND=NAME or KIND=COUNT (repeatable)"},
    // facts that have one possible value here
    {"storage-driver", "-s,--storage-driver", &S::storage_driver, kFixed, "How layers are put together", "overlay2"},
    {"exec-opts", "--exec-opt", &S::exec_opts, kFixed, "How control groups are made", "native.cgroupdriver=cgroupfs"},
    {"features", "", &S::features, kReload, "Features by name; those that are not there can only be switched off",
     "false"},
    {"iptables", "--iptables", &S::iptables, kFixed, "Filter and translate addresses (by nftables): always", "true"},
    {"firewall-backend", "--firewall-backend", &S::firewall_backend, kFixed, "What filters packets", "nftables"},
    {"ip6tables", "--ip6tables", &S::ip6tables, kFixed, "Rules for IPv6: there are no IPv6 subnets", "false"},
    {"ip-forward", "--ip-forward", &S::ip_forward, kFixed, "Switch forwarding on: always", "true"},
    {"ipv6", "--ipv6", &S::ipv6, kFixed, "IPv6 on the default bridge: there are no IPv6 subnets", "false"},
    {"userland-proxy", "--userland-proxy", &S::userland_proxy, kFixed,
     "A process per published port: never needed here", "false"},
    {"experimental", "--experimental", &S::experimental, kFixed, "Offer experimental features: checkpoints"},
    {"selinux-enabled", "--selinux-enabled", &S::selinux_enabled, kFixed, "SELinux labels for containers", "false"},
    {"raw-logs", "--raw-logs", &S::raw_logs, kFixed, "The daemon's messages have no colours: always", "true"},

    // known words that mean nothing here, or not yet: refused by name
    {"allow-nondistributable-artifacts", "--allow-nondistributable-artifacts", kRefused, kFixed,
     "layers that only their maker may hand out are those of Windows images"},
    {"authorization-plugins", "--authorization-plugin", kRefused, kFixed, "plugins do not exist here"},
    {"builder", "", kRefused, kFixed, "the build cache is not collected by rules"},
    {"containerd", "--containerd", kRefused, kFixed, "containers run without containerd"},
    {"containerd-namespace", "--containerd-namespace", kRefused, kFixed, "containers run without containerd"},
    {"containerd-plugin-namespace", "--containerd-plugins-namespace", kRefused, kFixed,
     "containers run without containerd"},
    {"cri-containerd", "--cri-containerd", kRefused, kFixed, "containers run without containerd"},
    {"cpu-rt-period", "--cpu-rt-period", kRefused, kFixed, "realtime limits are given per container"},
    {"cpu-rt-runtime", "--cpu-rt-runtime", kRefused, kFixed, "realtime limits are given per container"},
    {"default-gateway-v6", "--default-gateway-v6", kRefused, kFixed, "there are no IPv6 subnets"},
    {"deprecated-key-path", "--deprecated-key-path", kRefused, kFixed,
     "manifests are not signed with a key of the daemon"},
    {"fixed-cidr-v6", "--fixed-cidr-v6", kRefused, kFixed, "there are no IPv6 subnets"},
    {"max-concurrent-uploads", "--max-concurrent-uploads", kRefused, kFixed, "layers are pushed one after another"},
    {"metrics-addr", "--metrics-addr", kRefused, kFixed, "there is no metrics server"},
    {"network-control-plane-mtu", "--network-control-plane-mtu", kRefused, kFixed, "swarm is not active"},
    {"network-diagnostic-port", "--network-diagnostic-port", kRefused, kFixed, "there is no diagnostic server"},
    {"rootless", "--rootless", kRefused, kFixed, "the daemon needs root"},
    {"runtimes", "--add-runtime", kRefused, kFixed, "containers run under sampan-runtime's own library"},
    {"storage-opts", "--storage-opt", kRefused, kFixed, "the storage driver has no options"},
    {"swarm-default-advertise-addr", "--swarm-default-advertise-addr", kRefused, kFixed, "swarm is not active"},
    {"userland-proxy-path", "--userland-proxy-path", kRefused, kFixed, "there is no userland proxy"},
    {"api-cors-header", "--api-cors-header", kRefused, kFixed,
     "a page in a browser must not command the daemon; use a reverse proxy if you need CORS headers"},
};

}  // namespace

std::span<const Directive> directives() {
  return kDirectives;
}

const Directive* find_directive(std::string_view key) {
  for (const auto& row : kDirectives) {
    if (key == row.key) return &row;
  }
  return nullptr;
}

}  // namespace sampan::daemon
