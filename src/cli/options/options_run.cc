// run, create: what a container is made from. Both share one table.
#include "cli/commands/commands.h"
#include "cli/options/option.h"

namespace sampan::cli {

namespace {

using enum Kind;

constexpr Option kCreateOptions[] = {
    {"add-host", 0, ExtraHost, "body:HostConfig.ExtraHosts", "Add a line to /etc/hosts, name:address"},
    {"annotation", 0, Map, "body:HostConfig.Annotations", "Annotate the runtime's specification", {}, "1.43"},
    {"attach", 'a', AttachTo, "body:AttachStdin", "Attach to stdin, stdout or stderr"},
    {"blkio-weight", 0, Uint16, "body:HostConfig.BlkioWeight", "Relative block I/O weight, 10 to 1000, 0 for none"},
    {"blkio-weight-device", 0, DeviceWeight, "body:HostConfig.BlkioWeightDevice", "Relative block I/O weight of one device"},
    {"cap-add", 0, Capability, "body:HostConfig.CapAdd", "Grant a Linux capability"},
    {"cap-drop", 0, Capability, "body:HostConfig.CapDrop", "Take away a Linux capability"},
    {"cgroup-parent", 0, String, "body:HostConfig.CgroupParent", "Control group to put the container's under"},
    {"cgroupns", 0, String, "body:HostConfig.CgroupnsMode", "Control group namespace, host or private", {}, "1.41"},
    {"cidfile", 0, String, "client:file that receives the container's id", "Write the container's id to this file"},
    {"cpu-period", 0, Int, "body:HostConfig.CpuPeriod", "Length of a scheduling period in microseconds"},
    {"cpu-quota", 0, Int, "body:HostConfig.CpuQuota", "Processor time per period in microseconds"},
    {"cpu-rt-period", 0, Int, "body:HostConfig.CpuRealtimePeriod", "Length of a real-time period in microseconds"},
    {"cpu-rt-runtime", 0, Int, "body:HostConfig.CpuRealtimeRuntime", "Real-time processor time per period in microseconds"},
    {"cpu-shares", 'c', Int, "body:HostConfig.CpuShares", "Relative processor weight"},
    {"cpus", 0, Cpus, "body:HostConfig.NanoCpus", "Number of processors, fractions allowed"},
    {"cpuset-cpus", 0, String, "body:HostConfig.CpusetCpus", "Processors to run on (0-3, 0,1)"},
    {"cpuset-mems", 0, String, "body:HostConfig.CpusetMems", "Memory nodes to use (0-3, 0,1)"},
    {"device", 0, Device, "body:HostConfig.Devices", "Give a device of the host to the container"},
    {"device-cgroup-rule", 0, DeviceRule, "body:HostConfig.DeviceCgroupRules", "Add a rule to the list of allowed devices"},
    {"device-read-bps", 0, DeviceRate, "body:HostConfig.BlkioDeviceReadBps", "Limit reads from a device in bytes per second"},
    {"device-read-iops", 0, DeviceIops, "body:HostConfig.BlkioDeviceReadIOps", "Limit reads from a device in operations per second"},
    {"device-write-bps", 0, DeviceRate, "body:HostConfig.BlkioDeviceWriteBps", "Limit writes to a device in bytes per second"},
    {"device-write-iops", 0, DeviceIops, "body:HostConfig.BlkioDeviceWriteIOps", "Limit writes to a device in operations per second"},
    {"dns", 0, IpAddress, "body:HostConfig.Dns", "DNS server to use"},
    {"dns-option", 0, List, "body:HostConfig.DnsOptions", "Option for the resolver"},
    {"dns-search", 0, List, "body:HostConfig.DnsSearch", "Domain to search names in"},
    {"domainname", 0, String, "body:Domainname", "NIS domain name of the container"},
    {"entrypoint", 0, Entrypoint, "body:Entrypoint", "Program to run instead of the image's entry point"},
    {"env", 'e', Env, "body:Env", "Set a variable, or pass on this shell's"},
    {"env-file", 0, List, "body:Env", "File of variables, one NAME=value a line"},
    {"expose", 0, Expose, "body:ExposedPorts", "Declare a port or a range of ports"},
    {"gpus", 0, Gpus, "body:HostConfig.DeviceRequests", "GPUs to give to the container, a number or all"},
    {"group-add", 0, List, "body:HostConfig.GroupAdd", "Supplementary group of the process"},
    {"health-cmd", 0, String, "body:Healthcheck.Test", "Shell command that checks the container's health"},
    {"health-interval", 0, Duration, "body:Healthcheck.Interval", "Time between two health checks"},
    {"health-retries", 0, Int, "body:Healthcheck.Retries", "Failures in a row that make the container unhealthy"},
    {"health-start-interval", 0, Duration, "body:Healthcheck.StartInterval", "Time between two checks while starting", {}, "1.44"},
    {"health-start-period", 0, Duration, "body:Healthcheck.StartPeriod", "Time to start in which failures do not count"},
    {"health-timeout", 0, Duration, "body:Healthcheck.Timeout", "Time that one check may take"},
    {"hostname", 'h', String, "body:Hostname", "Host name of the container"},
    {"init", 0, Flag, "body:HostConfig.Init", "Run a small init that passes on signals and reaps processes"},
    {"interactive", 'i', Flag, "body:OpenStdin", "Keep stdin open, also when nobody is attached"},
    {"ip", 0, String, "body:NetworkingConfig.EndpointsConfig", "IPv4 address in the network"},
    {"ip6", 0, String, "body:NetworkingConfig.EndpointsConfig", "IPv6 address in the network"},
    {"ipc", 0, String, "body:HostConfig.IpcMode", "IPC namespace to use"},
    {"isolation", 0, String, "body:HostConfig.Isolation", "Isolation technology"},
    {"label", 'l', Label, "body:Labels", "Put a label on the container"},
    {"label-file", 0, List, "body:Labels", "File of labels, one a line"},
    {"link", 0, List, "body:HostConfig.Links", "Link to another container, name:alias"},
    {"link-local-ip", 0, List, "body:NetworkingConfig.EndpointsConfig", "Link-local address of the container"},
    {"log-driver", 0, String, "body:HostConfig.LogConfig.Type", "Driver that keeps the container's output"},
    {"log-opt", 0, Map, "body:HostConfig.LogConfig.Config", "Option for the log driver"},
    {"mac-address", 0, String, "body:NetworkingConfig.EndpointsConfig", "MAC address in the network"},
    {"memory", 'm', Bytes, "body:HostConfig.Memory", "Memory limit"},
    {"memory-reservation", 0, Bytes, "body:HostConfig.MemoryReservation", "Memory that is kept under pressure"},
    {"memory-swap", 0, SwapBytes, "body:HostConfig.MemorySwap", "Limit of memory plus swap, -1 for unlimited swap"},
    {"memory-swappiness", 0, Int, "body:HostConfig.MemorySwappiness", "Readiness to swap, 0 to 100", "-1"},
    {"mount", 0, Mount, "body:HostConfig.Mounts", "Mount a filesystem, type=...,source=...,target=..."},
    {"name", 0, String, "query:name", "Name of the container"},
    {"network", 0, Network, "body:HostConfig.NetworkMode", "Network to connect to"},
    {"network-alias", 0, List, "body:NetworkingConfig.EndpointsConfig", "Other name of the container in the network"},
    {"no-healthcheck", 0, Flag, "body:Healthcheck.Test", "Run no health check, whatever the image says"},
    {"oom-kill-disable", 0, Flag, "body:HostConfig.OomKillDisable", "Do not kill processes when memory runs out"},
    {"oom-score-adj", 0, Int, "body:HostConfig.OomScoreAdj", "Preference of the OOM killer, -1000 to 1000"},
    {"pid", 0, String, "body:HostConfig.PidMode", "PID namespace to use"},
    {"pids-limit", 0, Int, "body:HostConfig.PidsLimit", "Number of processes allowed, -1 for no limit"},
    {"platform", 0, String, "query:platform", "Platform of the image, os[/arch[/variant]]", {}, "1.41"},
    {"privileged", 0, Flag, "body:HostConfig.Privileged", "Give up nearly all isolation"},
    {"publish", 'p', Publish, "body:HostConfig.PortBindings", "Publish a port on the host, [ip:][host:]container[/proto]"},
    {"publish-all", 'P', Flag, "body:HostConfig.PublishAllPorts", "Publish every exposed port on a free port of the host"},
    {"pull", 0, String, "client:when the image is pulled", "When to pull the image: always, missing or never", "missing"},
    {"quiet", 'q', Flag, "client:progress output", "Show no progress of the pull"},
    {"read-only", 0, Flag, "body:HostConfig.ReadonlyRootfs", "Make the root filesystem read-only"},
    {"restart", 0, Restart, "body:HostConfig.RestartPolicy", "When to restart: no, on-failure[:n], always, unless-stopped", "no"},
    {"rm", 0, Flag, "body:HostConfig.AutoRemove", "Remove the container and its anonymous volumes at its end"},
    {"runtime", 0, String, "body:HostConfig.Runtime", "OCI runtime to use"},
    {"security-opt", 0, List, "body:HostConfig.SecurityOpt", "Security option, e.g. seccomp=FILE, no-new-privileges"},
    {"shm-size", 0, Bytes, "body:HostConfig.ShmSize", "Size of /dev/shm"},
    {"stop-signal", 0, String, "body:StopSignal", "Signal that asks the container to stop"},
    {"stop-timeout", 0, Int, "body:StopTimeout", "Seconds before a stopping container is killed"},
    {"storage-opt", 0, Map, "body:HostConfig.StorageOpt", "Option for the storage driver"},
    {"sysctl", 0, Sysctl, "body:HostConfig.Sysctls", "Set a namespaced kernel parameter"},
    {"tmpfs", 0, Tmpfs, "body:HostConfig.Tmpfs", "Mount a tmpfs at a path, path[:options]"},
    {"tty", 't', Flag, "body:Tty", "Give the process a terminal"},
    {"ulimit", 0, Ulimit, "body:HostConfig.Ulimits", "Resource limit, name=soft[:hard]"},
    {"user", 'u', String, "body:User", "User to run as, name or id[:group]"},
    {"userns", 0, String, "body:HostConfig.UsernsMode", "User namespace to use"},
    {"uts", 0, String, "body:HostConfig.UTSMode", "UTS namespace to use"},
    {"volume", 'v', Volume, "body:HostConfig.Binds", "Mount a directory or a volume, [source:]target[:options]"},
    {"volume-driver", 0, String, "body:HostConfig.VolumeDriver", "Driver of the volumes made by -v"},
    {"volumes-from", 0, List, "body:HostConfig.VolumesFrom", "Mount the volumes of another container"},
    {"workdir", 'w', String, "body:WorkingDir", "Working directory of the process"},
};

constexpr Option kRunOptions[] = {
    {"detach", 'd', Flag, "client:not attached", "Run in the background and print the container's id"},
    {"detach-keys", 0, String, "client:keys that detach, sent with attach", "Keys that detach from the container"},
    {"sig-proxy", 0, Flag, "client:signals passed on", "Pass signals on to the process", "true"},
};

constexpr Command kCommands[] = {
    {"container run", "run", "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create and start a container from an image", 1, -1,
     Interspersed::No, kCreateOptions, kRunOptions, run_container},
    {"container create", "create", "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a container, do not start it", 1, -1,
     Interspersed::No, kCreateOptions, {}, create_container},
};

}  // namespace

std::span<const Command> run_commands() { return kCommands; }

}  // namespace sampan::cli
