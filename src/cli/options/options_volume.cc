#include "cli/commands/commands.h"
#include "cli/options/option.h"

namespace sampan::cli {

namespace {

using enum Kind;

constexpr Option kList[] = {
    {"filter", 'f', Filter, "query:filters", "Show only what matches, e.g. dangling=true"},
    {"format", 0, String, "client:output", "Output format: table, json or a Go template"},
    {"quiet", 'q', Flag, "client:output", "Show only names"},
};
constexpr Option kCreate[] = {
    {"driver", 'd', String, "body:Driver", "Driver of the volume", "local"},
    {"label", 0, Label, "body:Labels", "Put a label on the volume"},
    {"name", 0, String, "body:Name", "Name of the volume"},
    {"opt", 'o', Map, "body:DriverOpts", "Option for the driver"},
};
constexpr Option kInspect[] = {{"format", 'f', String, "client:output", "Output format: json or a Go template"}};
constexpr Option kRemove[] = {{"force", 'f', Flag, "query:force", "Remove by force"}};
constexpr Option kPrune[] = {
    {"all", 'a', Flag, "client:filter all=true", "Remove every unused volume, not only anonymous ones"},
    {"filter", 0, Filter, "query:filters", "Remove only what matches, e.g. label=<label>"},
    {"force", 'f', Flag, "client:no question", "Do not ask"},
};

constexpr Command kCommands[] = {
    {"volume ls", "volume list", "[OPTIONS]", "List volumes", 0, 0, Interspersed::Yes, kList, {}, list_volumes},
    {"volume create", "", "[OPTIONS] [VOLUME]", "Create a volume", 0, 1, Interspersed::Yes, kCreate, {}, create_volume},
    {"volume inspect",
     "",
     "[OPTIONS] VOLUME [VOLUME...]",
     "Show all about volumes",
     1,
     -1,
     Interspersed::Yes,
     kInspect,
     {},
     inspect_volumes},
    {"volume rm",
     "volume remove",
     "[OPTIONS] VOLUME [VOLUME...]",
     "Remove volumes that no container uses",
     1,
     -1,
     Interspersed::Yes,
     kRemove,
     {},
     remove_volumes},
    {"volume prune", "", "[OPTIONS]", "Remove unused volumes", 0, 0, Interspersed::Yes, kPrune, {}, prune_volumes},
};

}  // namespace

std::span<const Command> volume_commands() {
  return kCommands;
}

}  // namespace sampan::cli
