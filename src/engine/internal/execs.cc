#include "engine/internal/execs.h"

#include "engine/internal/names.h"

namespace sampan::engine {

namespace {
constexpr auto kKept = std::chrono::minutes(5);
constexpr int kKilled = 128 + 9;
constexpr size_t kMostEnded = 10000;  // a health check every second must not fill the memory
}  // namespace

std::string Execs::add(const std::string& container_id, const ExecSpec& spec) {
  std::lock_guard lock(mutex_);
  sweep();
  std::string id = random_id();
  Entry& entry = entries_[id];
  entry.state.id = id;
  entry.state.container_id = container_id;
  entry.state.spec = spec;
  return id;
}

void Execs::sweep() {
  auto now = std::chrono::steady_clock::now();
  bool crowded = entries_.size() > kMostEnded;
  std::erase_if(entries_, [&](const auto& item) {
    const Entry& entry = item.second;
    if (entry.ended) return crowded || now - *entry.ended > kKept;
    return crowded && !entry.state.started && now - entry.made > kKept;  // nobody is going to start it
  });
}

Result<ExecState> Execs::get(const std::string& id) const {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(id);
  if (it == entries_.end()) return fail(Code::NotFound, "No such exec instance: {}", id);
  return it->second.state;
}

Result<ExecState> Execs::begin(const std::string& id) {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(id);
  if (it == entries_.end()) return fail(Code::NotFound, "No such exec instance: {}", id);
  ExecState& state = it->second.state;
  if (state.exit_code) return fail(Code::Conflict, "exec command {} has already run", id);
  if (state.started) return fail(Code::Conflict, "exec command {} is already running", id);
  state.started = state.running = true;
  return state;
}

void Execs::started(const std::string& id, int64_t pid) {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(id);
  if (it != entries_.end()) it->second.state.pid = pid;  // also of one that has ended meanwhile
}

std::optional<ExecState> Execs::finish(const std::string& id, int exit_code) {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(id);
  if (it == entries_.end() || !it->second.state.running) return std::nullopt;
  it->second.state.running = false;
  it->second.state.exit_code = exit_code;
  it->second.ended = std::chrono::steady_clock::now();
  return it->second.state;
}

void Execs::finish_all(const std::string& container_id) {
  std::lock_guard lock(mutex_);
  for (auto& [id, entry] : entries_) {
    if (entry.state.container_id != container_id || !entry.state.running) continue;
    entry.state.running = false;
    entry.state.exit_code = kKilled;
    entry.ended = std::chrono::steady_clock::now();
  }
}

void Execs::forget_all(const std::string& container_id) {
  std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const auto& item) { return item.second.state.container_id == container_id; });
}

std::vector<std::string> Execs::of(const std::string& container_id) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [id, entry] : entries_) {
    if (entry.state.container_id == container_id && !entry.ended) out.push_back(id);
  }
  return out;
}

}  // namespace sampan::engine
