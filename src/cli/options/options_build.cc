#include "cli/commands/commands.h"
#include "cli/options/option.h"

namespace sampan::cli {

namespace {

using enum Kind;

constexpr Option kBuild[] = {
    {"add-host", 0, ExtraHost, "query:extrahosts", "Add a line to /etc/hosts, name:address"},
    {"build-arg", 0, Env, "query:buildargs", "Value of an ARG"},
    {"cache-from", 0, CommaList, "query:cachefrom", "Image whose layers may be reused"},
    {"cgroup-parent", 0, String, "query:cgroupparent", "Control group to put RUN steps under"},
    {"cpu-period", 0, Int, "query:cpuperiod", "Length of a scheduling period in microseconds"},
    {"cpu-quota", 0, Int, "query:cpuquota", "Processor time per period in microseconds"},
    {"cpu-shares", 'c', Int, "query:cpushares", "Relative processor weight"},
    {"cpuset-cpus", 0, String, "query:cpusetcpus", "Processors to run on (0-3, 0,1)"},
    {"cpuset-mems", 0, String, "query:cpusetmems", "Memory nodes to use (0-3, 0,1)"},
    {"file", 'f', String, "client:the Dockerfile", "The Dockerfile, PATH/Dockerfile when not given, - for stdin"},
    {"force-rm", 0, Flag, "query:forcerm", "Remove intermediate containers also after a failure"},
    {"iidfile", 0, String, "client:file that receives the image's id", "Write the image's id to this file"},
    {"isolation", 0, String, "query:isolation", "Isolation technology"},
    {"label", 0, Label, "query:labels", "Put a label on the image"},
    {"memory", 'm', Bytes, "query:memory", "Memory limit"},
    {"memory-swap", 0, SwapBytes, "query:memswap", "Limit of memory plus swap, -1 for unlimited swap"},
    {"network", 0, String, "query:networkmode", "Network of RUN steps", "default"},
    {"no-cache", 0, Flag, "query:nocache", "Reuse no layers"},
    {"platform", 0, String, "query:platform", "Platform to build for"},
    {"pull", 0, Flag, "query:pull", "Look for a newer base image"},
    {"quiet", 'q', Flag, "query:q", "Print only the image's id"},
    {"rm", 0, Flag, "query:rm", "Remove intermediate containers after success", "true"},
    {"shm-size", 0, Bytes, "query:shmsize", "Size of /dev/shm"},
    {"squash", 0, Flag, "query:squash", "Put all new layers into one"},
    {"tag", 't', List, "query:t", "Name of the image, name:tag"},
    {"target", 0, String, "query:target", "Stage to build"},
    {"ulimit", 0, Ulimit, "query:ulimits", "Resource limit, name=soft[:hard]"},
};
constexpr Option kPrune[] = {
    {"all", 'a', Flag, "query:all", "Remove all of the build cache that is not in use"},
    {"filter", 0, Filter, "query:filters", "Remove only what matches, e.g. until=24h"},
    {"force", 'f', Flag, "client:no question", "Do not ask"},
    {"keep-storage", 0, Bytes, "query:keep-storage", "Size of the cache to keep"},
};

constexpr Command kCommands[] = {
    {"image build",
     "build|builder build",
     "[OPTIONS] PATH | URL | -",
     "Build an image from a Dockerfile",
     1,
     1,
     Interspersed::Yes,
     kBuild,
     {},
     build_image},
    {"builder prune",
     "",
     "[OPTIONS]",
     "Remove the build cache",
     0,
     0,
     Interspersed::Yes,
     kPrune,
     {},
     prune_build_cache},
};

}  // namespace

std::span<const Command> build_commands() {
  return kCommands;
}

}  // namespace sampan::cli
