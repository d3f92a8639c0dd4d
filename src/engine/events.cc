#include "engine/events.h"

#include "codec/json.h"

namespace sampan::engine {

void set_time(Event& event, const std::string& time) {
  if (auto parsed = codec::parse_rfc3339(time)) event.time = *parsed;
}

namespace {

constexpr int64_t kKept = 65536;
constexpr int64_t kTrimEvery = 1024;

int64_t as_int(const store::Value& value) {
  const int64_t* number = std::get_if<int64_t>(&value);
  return number ? *number : 0;
}
std::string as_text(const store::Value& value) {
  const std::string* text = std::get_if<std::string>(&value);
  return text ? *text : std::string();
}

class StoredEvents final : public EventLog {
 public:
  explicit StoredEvents(store::Store& store) : store_(store) {}

  Result<void> open() {
    TRY(
        store_.query("CREATE TABLE IF NOT EXISTS events(sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
                     " type TEXT NOT NULL, action TEXT NOT NULL, actor TEXT NOT NULL, attributes TEXT NOT NULL,"
                     " scope TEXT NOT NULL)"));
    return {};
  }

  Result<void> append(Event event) override {
    // The number comes from the database, under its lock: a lock of our own here could meet a transaction's the other
    // way.
    auto rows = TRY(store_.query("INSERT INTO events VALUES(NULL,?,?,?,?,?,?) RETURNING sequence",
                                 {event.time.unix_nanos, event.type, event.action, event.actor_id,
                                  codec::to_json(event.attributes), event.scope}));
    int64_t sequence = rows.empty() ? 0 : as_int(rows[0][0]);
    if (sequence > kKept && sequence % kTrimEvery == 0) {
      TRY(store_.query("DELETE FROM events WHERE sequence <= ?", {sequence - kKept}));
    }
    wake();
    return {};
  }

  Result<std::vector<Event>> read(int64_t after, std::optional<codec::Time> since, std::optional<codec::Time> until,
                                  size_t limit) override {
    auto rows =
        TRY(store_.query("SELECT sequence, at, type, action, actor, attributes, scope FROM events"
                         " WHERE sequence > ? AND at >= ? AND at <= ? ORDER BY sequence LIMIT ?",
                         {after, since ? since->unix_nanos : INT64_MIN, until ? until->unix_nanos : INT64_MAX,
                          static_cast<int64_t>(std::min<size_t>(limit, INT32_MAX))}));
    std::vector<Event> out;
    out.reserve(rows.size());
    for (const auto& row : rows) {
      Event event;
      event.sequence = as_int(row[0]);
      event.time.unix_nanos = as_int(row[1]);
      event.type = as_text(row[2]);
      event.action = as_text(row[3]);
      event.actor_id = as_text(row[4]);
      auto attributes = codec::from_json<std::map<std::string, std::string>>(as_text(row[5]));
      if (attributes) event.attributes = std::move(*attributes);  // a damaged row still tells what happened
      event.scope = as_text(row[6]);
      out.push_back(std::move(event));
    }
    return out;
  }

  int64_t last_sequence() override {
    auto rows = store_.query("SELECT max(sequence) FROM events");
    return rows && !rows->empty() ? as_int((*rows)[0][0]) : 0;
  }

  std::shared_ptr<void> subscribe(std::function<void()> wake) override {
    auto subscriber = std::make_shared<std::function<void()>>(std::move(wake));
    std::lock_guard lock(subscribers_mutex_);
    std::erase_if(subscribers_, [](const auto& other) { return other.expired(); });
    subscribers_.push_back(subscriber);
    return subscriber;
  }

 private:
  void wake() {
    std::vector<std::shared_ptr<std::function<void()>>> due;
    {
      std::lock_guard lock(subscribers_mutex_);
      for (const auto& subscriber : subscribers_) {
        if (auto alive = subscriber.lock()) due.push_back(std::move(alive));
      }
    }
    for (const auto& subscriber : due) (*subscriber)();
  }

  store::Store& store_;
  std::mutex subscribers_mutex_;
  std::vector<std::weak_ptr<std::function<void()>>> subscribers_;
};

}  // namespace

Result<std::unique_ptr<EventLog>> open_event_log(store::Store& store) {
  auto log = std::make_unique<StoredEvents>(store);
  TRY_CONTEXT(log->open(), "open the event log");
  return std::unique_ptr<EventLog>(std::move(log));
}

}  // namespace sampan::engine
