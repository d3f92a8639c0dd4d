// Commands that look at containers.
#include "cli/commands/commands.h"
#include "cli/options/option.h"

namespace sampan::cli {

namespace {

using enum Kind;

constexpr Option kFormat{"format", 0, String, "client:output", "Output format: table, json or a Go template"};
constexpr Option kFormatLetter{"format", 'f', String, "client:output", "Output format: json or a Go template"};

constexpr Option kList[] = {
    {"all", 'a', Flag, "query:all", "Show stopped containers, too"},
    {"filter", 'f', Filter, "query:filters", "Show only what matches, e.g. name=web"},
    kFormat,
    {"last", 'n', Int, "query:limit", "Show the n newest containers, also stopped ones", "-1"},
    {"latest", 'l', Flag, "client:limit of one", "Show the newest container, also a stopped one"},
    {"no-trunc", 0, Flag, "client:output", "Do not shorten the output"},
    {"quiet", 'q', Flag, "client:output", "Show only ids"},
    {"size", 's', Flag, "query:size", "Show sizes"},
};
constexpr Option kLogs[] = {
    {"details", 0, Flag, "query:details", "Show what the log driver adds to each line"},
    {"follow", 'f', Flag, "query:follow", "Go on with new lines"},
    {"since", 0, String, "query:since", "Lines since a time (2013-01-02T13:23:37Z) or an age (42m)"},
    {"tail", 'n', String, "query:tail", "Number of lines from the end", "all"},
    {"timestamps", 't', Flag, "query:timestamps", "Put the time in front of each line"},
    {"until", 0, String, "query:until", "Lines before a time or an age"},
};
constexpr Option kWhy[] = {
    {"tail", 'n', String, "query:tail", "Number of lines of its log to show", "10"},
};
constexpr Option kStats[] = {
    {"all", 'a', Flag, "query:all", "Show stopped containers, too"},
    kFormat,
    {"no-stream", 0, Flag, "client:one sample", "Print one sample and exit"},
    {"no-trunc", 0, Flag, "client:output", "Do not shorten the output"},
};
constexpr Option kInspect[] = {
    kFormatLetter,
    {"size", 's', Flag, "query:size", "Show the total file sizes of containers"},
};
constexpr Option kInspectAny[] = {
    kFormatLetter,
    {"size", 's', Flag, "query:size", "Show the total file sizes of containers"},
    {"type", 0, String, "client:kind of object", "Kind of object: container, image, network or volume"},
};

constexpr Command kCommands[] = {
    {"container ls",
     "ps|container ps|container list",
     "[OPTIONS]",
     "List containers",
     0,
     0,
     Interspersed::Yes,
     kList,
     {},
     list_containers},
    {"container logs",
     "logs",
     "[OPTIONS] CONTAINER",
     "Show what a container has written",
     1,
     1,
     Interspersed::Yes,
     kLogs,
     {},
     show_logs},
    {"container why",
     "why",
     "[OPTIONS] CONTAINER",
     "Say why a container ended, waits or runs, with the last lines of its log",
     1,
     1,
     Interspersed::Yes,
     kWhy,
     {},
     explain_container},
    {"container stats",
     "stats",
     "[OPTIONS] [CONTAINER...]",
     "Show what containers use, live",
     0,
     -1,
     Interspersed::Yes,
     kStats,
     {},
     show_stats},
    {"container top",
     "top",
     "CONTAINER [ps OPTIONS]",
     "Show the processes of a container",
     1,
     -1,
     Interspersed::No,
     {},
     {},
     show_processes},
    {"container port",
     "port",
     "CONTAINER [PRIVATE_PORT[/PROTO]]",
     "Show a container's published ports",
     1,
     2,
     Interspersed::Yes,
     {},
     {},
     show_ports},
    {"container diff",
     "diff",
     "CONTAINER",
     "Show what a container has changed in its filesystem",
     1,
     1,
     Interspersed::Yes,
     {},
     {},
     show_changes},
    {"container inspect",
     "",
     "[OPTIONS] CONTAINER [CONTAINER...]",
     "Show all about containers",
     1,
     -1,
     Interspersed::Yes,
     kInspect,
     {},
     inspect_containers},
    {"inspect",
     "",
     "[OPTIONS] NAME|ID [NAME|ID...]",
     "Show all about objects of any kind",
     1,
     -1,
     Interspersed::Yes,
     kInspectAny,
     {},
     inspect_any},
};

}  // namespace

std::span<const Command> container_read_commands() {
  return kCommands;
}

}  // namespace sampan::cli
