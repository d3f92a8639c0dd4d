#pragma once
// cli/commands/commands: one function per command. Each gets a checked command line, does its requests, prints, and
// returns the exit code, or an Error that main prints.

#include "base/result.h"
#include "cli/options/arguments.h"

namespace sampan::cli {

struct App;

#define SAMPAN_COMMAND(name) Result<int> name(App& app, const Arguments& arguments)
// run.cc, create.cc, exec.cc, attach.cc
SAMPAN_COMMAND(run_container);
SAMPAN_COMMAND(create_container);
SAMPAN_COMMAND(exec_container);
SAMPAN_COMMAND(attach_container);
SAMPAN_COMMAND(start_containers);
// lifecycle.cc
SAMPAN_COMMAND(stop_containers);
SAMPAN_COMMAND(restart_containers);
SAMPAN_COMMAND(kill_containers);
SAMPAN_COMMAND(remove_containers);
SAMPAN_COMMAND(wait_containers);
SAMPAN_COMMAND(pause_containers);
SAMPAN_COMMAND(unpause_containers);
SAMPAN_COMMAND(rename_container);
SAMPAN_COMMAND(update_containers);
// list_containers.cc, container_read.cc, stats.cc
SAMPAN_COMMAND(list_containers);
SAMPAN_COMMAND(show_logs);
SAMPAN_COMMAND(show_stats);
SAMPAN_COMMAND(explain_container);  // why.cc
SAMPAN_COMMAND(show_processes);
SAMPAN_COMMAND(show_ports);
SAMPAN_COMMAND(show_changes);
SAMPAN_COMMAND(commit_container);
SAMPAN_COMMAND(export_container);
// copy.cc
SAMPAN_COMMAND(copy_files);
// inspect.cc
SAMPAN_COMMAND(inspect_any);
SAMPAN_COMMAND(inspect_containers);
SAMPAN_COMMAND(inspect_images);
SAMPAN_COMMAND(inspect_networks);
SAMPAN_COMMAND(inspect_volumes);
// images.cc, image_transfer.cc
SAMPAN_COMMAND(list_images);
SAMPAN_COMMAND(pull_image);
SAMPAN_COMMAND(push_image);
SAMPAN_COMMAND(tag_image);
SAMPAN_COMMAND(remove_images);
SAMPAN_COMMAND(show_history);
SAMPAN_COMMAND(import_image);
SAMPAN_COMMAND(load_images);
SAMPAN_COMMAND(save_images);
SAMPAN_COMMAND(search_images);
// build.cc
SAMPAN_COMMAND(build_image);
// networks.cc, volumes.cc
SAMPAN_COMMAND(list_networks);
SAMPAN_COMMAND(create_network);
SAMPAN_COMMAND(remove_networks);
SAMPAN_COMMAND(connect_network);
SAMPAN_COMMAND(disconnect_network);
SAMPAN_COMMAND(list_volumes);
SAMPAN_COMMAND(create_volume);
SAMPAN_COMMAND(remove_volumes);
// prune.cc
SAMPAN_COMMAND(prune_containers);
SAMPAN_COMMAND(prune_images);
SAMPAN_COMMAND(prune_networks);
SAMPAN_COMMAND(prune_volumes);
SAMPAN_COMMAND(prune_build_cache);
SAMPAN_COMMAND(prune_system);
// system.cc, version.cc, disk_usage.cc, events.cc, login.cc
SAMPAN_COMMAND(show_version);
SAMPAN_COMMAND(show_info);
SAMPAN_COMMAND(show_events);
SAMPAN_COMMAND(show_disk_usage);
SAMPAN_COMMAND(dial_stdio);
SAMPAN_COMMAND(login_registry);
SAMPAN_COMMAND(logout_registry);
#undef SAMPAN_COMMAND

}  // namespace sampan::cli
