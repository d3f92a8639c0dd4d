// GET /events: the durable log from `since` on, then live, by one cursor: nothing is lost between the two.
#include <algorithm>
#include <utility>

#include "api/internal/filters.h"
#include "api/internal/json_answer.h"
#include "api/internal/streams.h"
#include "async/signal.h"
#include "codec/text.h"

namespace sampan::api {
namespace {

using engine::Event;

constexpr std::string_view kFilters[] = {"type",    "event", "config", "container", "daemon", "image",   "label",
                                         "network", "node",  "plugin", "scope",     "secret", "service", "volume"};
constexpr size_t kBatch = 256;

bool has(const std::vector<std::string>& values, std::string_view value) {
  return std::ranges::find(values, value) != values.end();
}

bool any_prefix(const std::vector<std::string>& wanted, const std::string& text) {
  return std::ranges::any_of(wanted, [&](const std::string& want) { return text.starts_with(want); });
}

std::string attribute(const Event& event, const char* name) {
  auto found = event.attributes.find(name);
  return found == event.attributes.end() ? std::string() : found->second;
}

bool match_action(const std::vector<std::string>& wanted, const std::string& action) {
  // "health_status: healthy" and "exec_create: sh" are asked for with or without what stands behind the colon.
  return wanted.empty() || has(wanted, action) || has(wanted, action.substr(0, action.find(':')));
}

/// container=, volume=, ...: the actor must be of that kind and begin with one of the values.
bool match_actor(const Filters& filters, const Event& event, const char* type) {
  const auto& wanted = filter_values(filters, type);
  if (wanted.empty()) return true;
  return event.type == type && (any_prefix(wanted, event.actor_id) || any_prefix(wanted, attribute(event, "name")));
}

bool match_image(const std::vector<std::string>& wanted, const Event& event) {
  if (wanted.empty()) return true;
  std::string image = event.type == "image" ? attribute(event, "name") : attribute(event, "image");
  size_t colon = image.rfind(':');
  std::string bare =
      colon != std::string::npos && image.find('/', colon) == std::string::npos ? image.substr(0, colon) : image;
  return has(wanted, image) || has(wanted, bare) || (event.type == "image" && has(wanted, event.actor_id));
}

bool match_event(const Filters& filters, const Event& event) {
  const auto& types = filter_values(filters, "type");
  const auto& scopes = filter_values(filters, "scope");
  if (!types.empty() && !has(types, event.type)) return false;
  if (!scopes.empty() && !has(scopes, event.scope)) return false;
  if (!match_action(filter_values(filters, "event"), event.action)) return false;
  if (!match_labels(filter_values(filters, "label"), event.attributes)) return false;
  for (const char* type :
       {"container", "network", "volume", "daemon", "plugin", "config", "secret", "service", "node"}) {
    if (!match_actor(filters, event, type)) return false;
  }
  return match_image(filter_values(filters, "image"), event);
}

std::string format_event(const Event& event) {
  json::object out;
  if (event.type == "container" || event.type == "image") {
    out["status"] = event.action;
    out["id"] = event.actor_id;
    if (std::string from = attribute(event, "image"); !from.empty()) out["from"] = from;
  }
  out["Type"] = event.type;
  out["Action"] = event.action;
  out["Actor"] =
      json::object{{"ID", json::string(event.actor_id)}, {"Attributes", codec::write_json(event.attributes)}};
  out["scope"] = event.scope;
  out["time"] = event.time.unix_nanos / 1'000'000'000;
  out["timeNano"] = event.time.unix_nanos;
  return codec::format_json(out) + "\n";
}

struct Window {
  std::optional<codec::Time> since, until;
  int64_t after = 0;
};

Result<Window> parse_window(const Call& call) {
  Window out;
  if (std::string text = call.get("since"); !text.empty())
    out.since = TRY_CONTEXT(codec::parse_timestamp(text), "since");
  if (std::string text = call.get("until"); !text.empty())
    out.until = TRY_CONTEXT(codec::parse_timestamp(text), "until");
  if (out.since && out.until && *out.until < *out.since) {
    return fail(Code::InvalidArgument, "`since` time ({}) cannot be after `until` time ({})", call.get("since"),
                call.get("until"));
  }
  // Without either bound only what happens from now on is of interest.
  if (!out.since && !out.until) out.after = call.engine().events().last_sequence();
  return out;
}

/// The monotonic moment of `until`; the far future without one.
std::chrono::steady_clock::time_point deadline_of(const Window& window) {
  if (!window.until) return std::chrono::steady_clock::time_point::max();
  auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
  auto left = std::chrono::nanoseconds(window.until->unix_nanos) - now;
  if (left > std::chrono::hours(24 * 365)) return std::chrono::steady_clock::time_point::max();
  return std::chrono::steady_clock::now() + std::max(left, std::chrono::nanoseconds(0));
}

struct ListenerCount {
  explicit ListenerCount(Services& services) : services(services) { ++services.event_listeners; }
  ~ListenerCount() { --services.event_listeners; }
  Services& services;
};

}  // namespace

async::Task<Result<void>> stream_events(Call& call, StreamContext context) {
  auto filters = CO_TRY(parse_filters(call, kFilters));
  async::Signal signal(co_await async::asio::this_coro::executor);
  auto subscription = call.engine().events().subscribe(signal.setter());
  Window window = CO_TRY(parse_window(call));
  auto deadline = deadline_of(window);
  context.exchange.on_closed(signal.setter());
  ListenerCount count(call.services);
  CO_TRY(co_await context.exchange.start_stream({200, {{"Content-Type", "application/json"}}, ""}));
  while (!context.exchange.cancel().cancelled()) {
    int64_t newest = call.engine().events().last_sequence();
    auto read = co_await async::blocking(
        context.reads, [&] { return call.engine().events().read(window.after, window.since, window.until, kBatch); });
    auto events = CO_TRY(std::move(read));
    std::string out;
    for (const auto& event : events) {
      window.after = event.sequence;
      if (match_event(filters, event)) out += format_event(event);
    }
    if (!out.empty()) CO_TRY(co_await context.exchange.write_chunk(out));
    if (events.size() == kBatch) continue;
    // What comes from here on is new, whatever a stepped clock says about its time.
    if (std::exchange(window.since, std::nullopt)) window.after = std::max(window.after, newest);
    if (std::chrono::steady_clock::now() >= deadline) break;
    (void)co_await signal.wait_until(deadline);
  }
  co_return co_await context.exchange.finish_stream();
}

}  // namespace sampan::api
