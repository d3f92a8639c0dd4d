#pragma once
// api/internal/handlers: every handler that is an ordinary blocking function, by the file that has it.

#include "api/internal/call.h"

namespace sampan::api {

// system.cc
Result<http::Response> ping(Call& call);
Result<http::Response> get_version(Call& call);
Result<http::Response> post_auth(Call& call);
Result<http::Response> disk_usage(Call& call);
// info.cc
Result<http::Response> get_info(Call& call);

// containers_read.cc
Result<http::Response> list_containers(Call& call);
Result<http::Response> inspect_container(Call& call);
Result<http::Response> top_container(Call& call);
Result<http::Response> container_changes(Call& call);
// containers_write.cc
Result<http::Response> create_container(Call& call);
Result<http::Response> start_container(Call& call);
Result<http::Response> stop_container(Call& call);
Result<http::Response> restart_container(Call& call);
Result<http::Response> kill_container(Call& call);
Result<http::Response> pause_container(Call& call);
Result<http::Response> unpause_container(Call& call);
Result<http::Response> rename_container(Call& call);
Result<http::Response> update_container(Call& call);
Result<http::Response> resize_container(Call& call);
Result<http::Response> remove_container(Call& call);
Result<http::Response> prune_containers(Call& call);
Result<http::Response> commit_container(Call& call);
// archive.cc
Result<http::Response> stat_archive(Call& call);
Result<void> get_archive(Call& call, ByteSource& body, Reply& reply);
Result<void> put_archive(Call& call, ByteSource& body, Reply& reply);
Result<void> export_container(Call& call, ByteSource& body, Reply& reply);
// exec.cc
/// Errors: InvalidArgument "Invalid detach keys (x) provided"; an empty text means the default.
Result<void> check_detach_keys(const std::string& keys);
Result<http::Response> create_exec(Call& call);
Result<http::Response> inspect_exec(Call& call);
Result<http::Response> resize_exec(Call& call);

// images_read.cc
Result<http::Response> list_images(Call& call);
Result<http::Response> inspect_image(Call& call);
Result<http::Response> image_history(Call& call);
Result<http::Response> inspect_distribution(Call& call);
// images_write.cc
Result<http::Response> tag_image(Call& call);
Result<http::Response> remove_image(Call& call);
Result<http::Response> prune_images(Call& call);
Result<http::Response> search_images(Call& call);
// image_transfer.cc
Result<void> create_image(Call& call, ByteSource& body, Reply& reply);
Result<void> push_image(Call& call, ByteSource& body, Reply& reply);
Result<void> save_image(Call& call, ByteSource& body, Reply& reply);
Result<void> save_images(Call& call, ByteSource& body, Reply& reply);
Result<void> load_images(Call& call, ByteSource& body, Reply& reply);
// build.cc
Result<void> build(Call& call, ByteSource& body, Reply& reply);
Result<http::Response> prune_build(Call& call);

// checkpoints.cc
Result<http::Response> list_checkpoints(Call& call);
Result<http::Response> create_checkpoint(Call& call);
/// DELETE /containers/NAME/checkpoints/CHECKPOINT, whose path the route of a container's removal takes.
Result<http::Response> remove_checkpoint(Call& call);

// networks.cc
Result<http::Response> list_networks(Call& call);
Result<http::Response> inspect_network(Call& call);
Result<http::Response> create_network(Call& call);
Result<http::Response> remove_network(Call& call);
Result<http::Response> connect_network(Call& call);
Result<http::Response> disconnect_network(Call& call);
Result<http::Response> prune_networks(Call& call);
// volumes.cc
Result<http::Response> list_volumes(Call& call);
Result<http::Response> inspect_volume(Call& call);
Result<http::Response> create_volume(Call& call);
Result<http::Response> remove_volume(Call& call);
Result<http::Response> prune_volumes(Call& call);

// absent.cc: what this engine does not do, said clearly
Result<http::Response> not_in_swarm(Call& call);
Result<http::Response> no_plugins(Call& call);
Result<http::Response> no_such_plugin(Call& call);
Result<http::Response> absent_plugins(Call& call);
Result<http::Response> absent_session(Call& call);
Result<http::Response> absent_cancel_build(Call& call);

}  // namespace sampan::api
