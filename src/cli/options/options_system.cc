#include "cli/commands/commands.h"
#include "cli/options/option.h"

namespace sampan::cli {

namespace {

using enum Kind;

constexpr Option kGlobal[] = {
    {"config", 0, String, "client:directory of config.json", "Directory of the client's configuration"},
    {"context", 'c', String, "client:refused", "Not supported: use --host"},
    {"debug", 'D', Flag, "client:debug output", "Print more about what goes wrong"},
    {"host", 'H', List, "client:the daemon's socket", "Socket of the daemon to talk to"},
    {"log-level", 'l', String, "client:debug output", "Level of logging: debug, info, warn, error, fatal", "info"},
    {"tls", 0, Flag, "client:refused", "Not supported yet: use ssh or a tunnel"},
    {"tlscacert", 0, String, "client:refused", "Not supported yet"},
    {"tlscert", 0, String, "client:refused", "Not supported yet"},
    {"tlskey", 0, String, "client:refused", "Not supported yet"},
    {"tlsverify", 0, Flag, "client:refused", "Not supported yet"},
    {"version", 'v', Flag, "client:print the version", "Print the version and exit"},
};

constexpr Option kFormatLetter[] = {{"format", 'f', String, "client:output", "Output format: json or a Go template"}};
constexpr Option kEvents[] = {
    {"filter", 'f', Filter, "query:filters", "Show only what matches, e.g. type=container"},
    {"format", 0, String, "client:output", "Output format: json or a Go template"},
    {"since", 0, String, "query:since", "Events since a time or an age"},
    {"until", 0, String, "query:until", "Events until a time, then exit"},
};
constexpr Option kDiskUsage[] = {
    {"format", 0, String, "client:output", "Output format: table, json or a Go template"},
    {"verbose", 'v', Flag, "client:output", "Show each object"},
};
constexpr Option kPrune[] = {
    {"all", 'a', Flag, "client:filter dangling=false", "Remove every unused image, not only untagged ones"},
    {"filter", 0, Filter, "query:filters", "Remove only what matches, e.g. label=<key>=<value>"},
    {"force", 'f', Flag, "client:no question", "Do not ask"},
    {"volumes", 0, Flag, "client:volumes, too", "Remove unused anonymous volumes, too"},
};
constexpr Option kLogin[] = {
    {"password", 'p', String, "body:password", "Password or access token"},
    {"password-stdin", 0, Flag, "client:password from stdin", "Read the password from stdin"},
    {"username", 'u', String, "body:username", "User name"},
};

constexpr Command kCommands[] = {
    {"version",
     "",
     "[OPTIONS]",
     "Show the versions of client and daemon",
     0,
     0,
     Interspersed::Yes,
     kFormatLetter,
     {},
     show_version},
    {"system info",
     "info",
     "[OPTIONS]",
     "Show what the daemon knows of itself",
     0,
     0,
     Interspersed::Yes,
     kFormatLetter,
     {},
     show_info},
    {"system events",
     "events",
     "[OPTIONS]",
     "Show what happens, live",
     0,
     0,
     Interspersed::Yes,
     kEvents,
     {},
     show_events},
    {"system df", "", "[OPTIONS]", "Show what uses the disk", 0, 0, Interspersed::Yes, kDiskUsage, {}, show_disk_usage},
    {"system prune", "", "[OPTIONS]", "Remove all that is unused", 0, 0, Interspersed::Yes, kPrune, {}, prune_system},
    {"system dial-stdio",
     "",
     "",
     "Connect stdin and stdout to the daemon's socket",
     0,
     0,
     Interspersed::Yes,
     {},
     {},
     dial_stdio},
    {"login", "", "[OPTIONS] [SERVER]", "Log in to a registry", 0, 1, Interspersed::Yes, kLogin, {}, login_registry},
    {"logout", "", "[SERVER]", "Log out from a registry", 0, 1, Interspersed::Yes, {}, {}, logout_registry},
};

constexpr Group kGroups[] = {
    {"builder", "Manage builds"},   {"container", "Manage containers"}, {"image", "Manage images"},
    {"network", "Manage networks"}, {"system", "Manage the engine"},    {"volume", "Manage volumes"},
};

}  // namespace

std::span<const Command> system_commands() {
  return kCommands;
}
std::span<const Group> command_groups() {
  return kGroups;
}
std::span<const Option> global_options() {
  return kGlobal;
}

std::span<const std::span<const Command>> command_tables() {
  static const std::span<const Command> tables[] = {run_commands(),    container_commands(), container_read_commands(),
                                                    image_commands(),  build_commands(),     network_commands(),
                                                    volume_commands(), system_commands()};
  return tables;
}

}  // namespace sampan::cli
