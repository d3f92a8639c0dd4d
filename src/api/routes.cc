// The table of every endpoint. Rows are tried in order: exact paths stand before patterns that would swallow them.
#include "api/internal/handlers.h"
#include "api/internal/route.h"

namespace sampan::api {
namespace {

using enum Kind;

const Route kRoutes[] = {
    // --- system
    {"GET", "/_ping", Inline, ping},
    {"HEAD", "/_ping", Inline, ping},
    {"GET", "/version", Read, get_version},
    {"GET", "/info", Read, get_info},
    {"GET", "/events", Stream, stream_events},
    {"GET", "/system/df", Write, disk_usage, Body::None, {1, 25}},
    {"POST", "/auth", Write, post_auth, Body::Json},
    // --- containers
    {"GET", "/containers/json", Read, list_containers},
    {"POST", "/containers/create", Write, create_container, Body::Json},
    {"POST", "/containers/prune", Write, prune_containers, Body::None, {1, 25}},
    {"GET", "/containers/{name}/json", Read, inspect_container},
    {"GET", "/containers/{name}/top", Write, top_container},
    {"GET", "/containers/{name}/logs", Stream, stream_logs},
    {"GET", "/containers/{name}/changes", Write, container_changes},
    {"GET", "/containers/{name}/export", Transfer, export_container},
    {"GET", "/containers/{name}/stats", Stream, stream_stats},
    {"GET", "/containers/{name}/attach/ws", Stream, stream_attach_websocket},
    {"POST", "/containers/{name}/resize", Write, resize_container},
    {"POST", "/containers/{name}/start", Write, start_container},
    {"POST", "/containers/{name}/stop", Write, stop_container},
    {"POST", "/containers/{name}/restart", Write, restart_container},
    {"POST", "/containers/{name}/kill", Write, kill_container},
    {"POST", "/containers/{name}/update", Write, update_container, Body::Json},
    {"POST", "/containers/{name}/rename", Write, rename_container},
    {"POST", "/containers/{name}/pause", Write, pause_container},
    {"POST", "/containers/{name}/unpause", Write, unpause_container},
    {"POST", "/containers/{name}/attach", Stream, stream_attach},
    {"POST", "/containers/{name}/wait", Stream, stream_wait},
    {"POST", "/containers/{name}/exec", Write, create_exec, Body::Json},
    {"GET", "/containers/{name}/checkpoints", Read, list_checkpoints, Body::None, {1, 25}},
    {"POST", "/containers/{name}/checkpoints", Write, create_checkpoint, Body::Json, {1, 25}},
    {"HEAD", "/containers/{name}/archive", Write, stat_archive},
    {"GET", "/containers/{name}/archive", Transfer, get_archive},
    {"PUT", "/containers/{name}/archive", Transfer, put_archive},
    {"DELETE", "/containers/{name}", Write, remove_container},
    // --- exec
    {"POST", "/exec/{name}/start", Stream, stream_exec_start, Body::Json},
    {"POST", "/exec/{name}/resize", Write, resize_exec},
    {"GET", "/exec/{name}/json", Read, inspect_exec},
    // --- images
    {"GET", "/images/json", Read, list_images},
    {"GET", "/images/search", Read, search_images},
    {"GET", "/images/get", Transfer, save_images},
    {"POST", "/images/create", Transfer, create_image},
    {"POST", "/images/load", Transfer, load_images},
    {"POST", "/images/prune", Write, prune_images, Body::None, {1, 25}},
    {"GET", "/images/{name}/json", Read, inspect_image},
    {"GET", "/images/{name}/history", Read, image_history},
    {"GET", "/images/{name}/get", Transfer, save_image},
    {"POST", "/images/{name}/push", Transfer, push_image},
    {"POST", "/images/{name}/tag", Write, tag_image},
    {"DELETE", "/images/{name}", Write, remove_image},
    {"POST", "/commit", Write, commit_container, Body::Json},
    {"GET", "/distribution/{name}/json", Write, inspect_distribution, Body::None, {1, 30}},
    // --- build
    {"POST", "/build", Transfer, build},
    {"POST", "/build/prune", Write, prune_build, Body::None, {1, 31}},
    {"POST", "/build/cancel", Read, absent_cancel_build},
    {"POST", "/session", Read, absent_session},
    {"POST", "/grpc", Read, absent_session},
    // --- networks
    {"GET", "/networks", Read, list_networks},
    {"GET", "/networks/", Read, list_networks},
    {"POST", "/networks/create", Write, create_network, Body::Json},
    {"POST", "/networks/prune", Write, prune_networks, Body::None, {1, 25}},
    {"POST", "/networks/{name}/connect", Write, connect_network, Body::Json},
    {"POST", "/networks/{name}/disconnect", Write, disconnect_network, Body::Json},
    {"GET", "/networks/{name}", Read, inspect_network},
    {"DELETE", "/networks/{name}", Write, remove_network},
    // --- volumes
    {"GET", "/volumes", Read, list_volumes},
    {"POST", "/volumes/create", Write, create_volume, Body::Json},
    {"POST", "/volumes/prune", Write, prune_volumes, Body::None, {1, 25}},
    {"GET", "/volumes/{name}", Read, inspect_volume},
    {"PUT", "/volumes/{name}", Read, not_in_swarm},
    {"DELETE", "/volumes/{name}", Write, remove_volume},
    // --- plugins: none can be installed
    {"GET", "/plugins", Read, no_plugins},
    {"GET", "/plugins/{name}/json", Read, no_such_plugin},
    {"GET", "/plugins/{name}", Read, absent_plugins},
    {"POST", "/plugins/{name}", Read, absent_plugins},
    {"DELETE", "/plugins/{name}", Read, absent_plugins},
    // --- swarm: this node is in none
    {"GET", "/swarm", Read, not_in_swarm},
    {"GET", "/swarm/{name}", Read, not_in_swarm},
    {"POST", "/swarm/{name}", Read, not_in_swarm},
    {"GET", "/nodes", Read, not_in_swarm},
    {"GET", "/nodes/{name}", Read, not_in_swarm},
    {"POST", "/nodes/{name}", Read, not_in_swarm},
    {"DELETE", "/nodes/{name}", Read, not_in_swarm},
    {"GET", "/services", Read, not_in_swarm},
    {"GET", "/services/{name}", Read, not_in_swarm},
    {"POST", "/services/{name}", Read, not_in_swarm},
    {"DELETE", "/services/{name}", Read, not_in_swarm},
    {"GET", "/tasks", Read, not_in_swarm},
    {"GET", "/tasks/{name}", Read, not_in_swarm},
    {"GET", "/secrets", Read, not_in_swarm},
    {"GET", "/secrets/{name}", Read, not_in_swarm},
    {"POST", "/secrets/{name}", Read, not_in_swarm},
    {"DELETE", "/secrets/{name}", Read, not_in_swarm},
    {"GET", "/configs", Read, not_in_swarm},
    {"GET", "/configs/{name}", Read, not_in_swarm},
    {"POST", "/configs/{name}", Read, not_in_swarm},
    {"DELETE", "/configs/{name}", Read, not_in_swarm},
};

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

}  // namespace sampan::api
