#pragma once
// engine/events: what happened, as a durable, numbered log that readers follow with a cursor.
//
// An event is appended in the transaction that changes the state, kept in the store (the newest 65536), and handed to
// live subscribers. A subscriber that falls behind loses nothing: it reads on from its cursor.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/text.h"
#include "store/store.h"

namespace sampan::engine {

struct Event {
  int64_t sequence = 0;      // set by append()
  std::string type, action;  // "container", "start"
  std::string actor_id;
  std::map<std::string, std::string> attributes;  // name, image, labels, exitCode, ...
  std::string scope = "local";
  codec::Time time;
};

/// When it happened, in RFC 3339; what is no time changes nothing.
void set_time(Event& event, const std::string& time);

class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual Result<void> append(Event event) = 0;
  /// Events with sequence > after and within the times, oldest first, at most `limit`.
  virtual Result<std::vector<Event>> read(int64_t after, std::optional<codec::Time> since,
                                          std::optional<codec::Time> until, size_t limit) = 0;
  virtual int64_t last_sequence() = 0;
  /// `wake` is called (from any thread, must not block) after each append until the returned handle is dropped.
  virtual std::shared_ptr<void> subscribe(std::function<void()> wake) = 0;
};
Result<std::unique_ptr<EventLog>> open_event_log(store::Store& store);

}  // namespace sampan::engine
