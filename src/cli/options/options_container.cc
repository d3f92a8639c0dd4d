// Commands that change containers.
#include "cli/commands/commands.h"
#include "cli/options/option.h"

namespace sampan::cli {

namespace {

using enum Kind;

constexpr Option kDetachKeys{"detach-keys", 0, String, "query:detachKeys", "Keys that detach from the container"};

constexpr Option kExec[] = {
    {"detach", 'd', Flag, "body:Detach", "Run in the background"},
    kDetachKeys,
    {"env", 'e', Env, "body:Env", "Set a variable, or pass on this shell's"},
    {"env-file", 0, List, "body:Env", "File of variables, one NAME=value a line"},
    {"interactive", 'i', Flag, "body:AttachStdin", "Keep stdin open"},
    {"privileged", 0, Flag, "body:Privileged", "Give the process extended privileges"},
    {"tty", 't', Flag, "body:Tty", "Give the process a terminal"},
    {"user", 'u', String, "body:User", "User to run as, name or id[:group]"},
    {"workdir", 'w', String, "body:WorkingDir", "Working directory of the process"},
};
constexpr Option kAttach[] = {
    kDetachKeys,
    {"no-stdin", 0, Flag, "client:stdin not attached", "Do not attach stdin"},
    {"sig-proxy", 0, Flag, "client:signals passed on", "Pass signals on to the process", "true"},
};
constexpr Option kStart[] = {
    {"attach", 'a', Flag, "client:attached", "Attach stdout and stderr, pass signals on"},
    kDetachKeys,
    {"interactive", 'i', Flag, "client:stdin attached", "Attach stdin"},
};
constexpr Option kStop[] = {
    {"signal", 's', String, "query:signal", "Signal that asks the container to stop"},
    {"timeout", 't', Int, "query:t", "Seconds to wait before the container is killed, -1 for ever"},
    {"time", 0, Int, "query:t", "The same as --timeout"},
};
constexpr Option kKill[] = {{"signal", 's', String, "query:signal", "Signal to send"}};
constexpr Option kRemove[] = {
    {"force", 'f', Flag, "query:force", "Kill a running container first"},
    {"link", 'l', Flag, "query:link", "Remove the named link, not a container"},
    {"volumes", 'v', Flag, "query:v", "Remove the container's anonymous volumes, too"},
};
constexpr Option kUpdate[] = {
    {"blkio-weight", 0, Uint16, "body:BlkioWeight", "Relative block I/O weight, 10 to 1000, 0 for none"},
    {"cpu-period", 0, Int, "body:CpuPeriod", "Length of a scheduling period in microseconds"},
    {"cpu-quota", 0, Int, "body:CpuQuota", "Processor time per period in microseconds"},
    {"cpu-rt-period", 0, Int, "body:CpuRealtimePeriod", "Length of a real-time period in microseconds"},
    {"cpu-rt-runtime", 0, Int, "body:CpuRealtimeRuntime", "Real-time processor time per period in microseconds"},
    {"cpu-shares", 'c', Int, "body:CpuShares", "Relative processor weight"},
    {"cpus", 0, Cpus, "body:NanoCpus", "Number of processors, fractions allowed"},
    {"cpuset-cpus", 0, String, "body:CpusetCpus", "Processors to run on (0-3, 0,1)"},
    {"cpuset-mems", 0, String, "body:CpusetMems", "Memory nodes to use (0-3, 0,1)"},
    {"memory", 'm', Bytes, "body:Memory", "Memory limit"},
    {"memory-reservation", 0, Bytes, "body:MemoryReservation", "Memory that is kept under pressure"},
    {"memory-swap", 0, SwapBytes, "body:MemorySwap", "Limit of memory plus swap, -1 for unlimited swap"},
    {"pids-limit", 0, Int, "body:PidsLimit", "Number of processes allowed, -1 for no limit"},
    {"restart", 0, Restart, "body:RestartPolicy", "When to restart: no, on-failure[:n], always, unless-stopped"},
};
constexpr Option kCommit[] = {
    {"author", 'a', String, "query:author", "Author of the image"},
    {"change", 'c', List, "query:changes", "Dockerfile instruction to apply"},
    {"message", 'm', String, "query:comment", "Message of the commit"},
    {"pause", 'p', Flag, "query:pause", "Pause the container meanwhile", "true"},
    {"no-pause", 0, Flag, "client:the opposite of --pause", "Do not pause the container meanwhile"},
};
constexpr Option kCopy[] = {
    {"archive", 'a', Flag, "query:copyUIDGID", "Keep owners and groups"},
    {"follow-link", 'L', Flag, "client:links in the source", "Follow a symbolic link in the source path"},
    {"quiet", 'q', Flag, "client:progress output", "Show no progress"},
};
constexpr Option kExport[] = {{"output", 'o', String, "client:file that receives the archive", "Write to a file instead of stdout"}};
constexpr Option kPrune[] = {
    {"filter", 0, Filter, "query:filters", "Remove only what matches (until=<time>, label=<label>)"},
    {"force", 'f', Flag, "client:no question", "Do not ask"},
};

constexpr std::string_view kMany = "CONTAINER [CONTAINER...]";
constexpr std::string_view kManyOptions = "[OPTIONS] CONTAINER [CONTAINER...]";

constexpr Command kCommands[] = {
    {"container exec", "exec", "[OPTIONS] CONTAINER COMMAND [ARG...]", "Run a command in a running container", 2, -1,
     Interspersed::No, kExec, {}, exec_container},
    {"container attach", "attach", "[OPTIONS] CONTAINER", "Attach this terminal to a running container", 1, 1,
     Interspersed::Yes, kAttach, {}, attach_container},
    {"container start", "start", kManyOptions, "Start stopped containers", 1, -1, Interspersed::Yes, kStart, {},
     start_containers},
    {"container stop", "stop", kManyOptions, "Stop running containers", 1, -1, Interspersed::Yes, kStop, {},
     stop_containers},
    {"container restart", "restart", kManyOptions, "Stop and start containers", 1, -1, Interspersed::Yes, kStop, {},
     restart_containers},
    {"container kill", "kill", kManyOptions, "Send a signal to running containers", 1, -1, Interspersed::Yes, kKill, {},
     kill_containers},
    {"container rm", "rm|container remove", kManyOptions, "Remove containers", 1, -1, Interspersed::Yes, kRemove, {},
     remove_containers},
    {"container wait", "wait", kMany, "Wait until containers stop and print their exit codes", 1, -1, Interspersed::Yes,
     {}, {}, wait_containers},
    {"container pause", "pause", kMany, "Freeze the processes of containers", 1, -1, Interspersed::Yes, {}, {},
     pause_containers},
    {"container unpause", "unpause", kMany, "Let frozen containers go on", 1, -1, Interspersed::Yes, {}, {},
     unpause_containers},
    {"container rename", "rename", "CONTAINER NEW_NAME", "Give a container another name", 2, 2, Interspersed::Yes, {}, {},
     rename_container},
    {"container update", "update", kManyOptions, "Change the limits of containers", 1, -1, Interspersed::Yes, kUpdate, {},
     update_containers},
    {"container commit", "commit", "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]", "Make an image from a container's changes",
     1, 2, Interspersed::Yes, kCommit, {}, commit_container},
    {"container cp", "cp", "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        sampan cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
     "Copy files between a container and this machine", 2, 2, Interspersed::Yes, kCopy, {}, copy_files},
    {"container export", "export", "[OPTIONS] CONTAINER", "Write a container's filesystem as a tar archive", 1, 1,
     Interspersed::Yes, kExport, {}, export_container},
    {"container prune", "", "[OPTIONS]", "Remove all stopped containers", 0, 0, Interspersed::Yes, kPrune, {},
     prune_containers},
};

}  // namespace

std::span<const Command> container_commands() { return kCommands; }

}  // namespace sampan::cli
