#include "engine/internal/workers.h"

#include <chrono>
#include <system_error>

namespace sampan::engine {

Workers::Workers(size_t most_threads) : most_threads_(most_threads) {
  std::lock_guard lock(mutex_);
  spawn();
}

void Workers::post(const std::string& key, std::function<void()> job) {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  auto [it, fresh] = jobs_.try_emplace(key);
  it->second.push_back(std::move(job));
  if (!fresh) return;  // whoever runs the key takes this one too
  ready_.push_back(key);
  if (idle_ >= ready_.size())
    work_.notify_one();
  else if (threads_ < most_threads_)
    spawn();
}

void Workers::spawn() {
  ++threads_;
  try {
    std::thread([this] { run(); }).detach();  // stop() waits for the count
  } catch (const std::system_error&) {
    --threads_;  // the host is out of threads: those that live take the job in turn
  }
}

void Workers::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    bool woken = work_.wait_for(lock, std::chrono::seconds(10), [this] { return stopping_ || !ready_.empty(); });
    --idle_;
    if (stopping_ || (!woken && threads_ > 1)) break;
    if (!woken) continue;
    std::string key = std::move(ready_.front());
    ready_.pop_front();
    run_key(lock, key);
  }
  --threads_;
  gone_.notify_all();
}

void Workers::run_key(std::unique_lock<std::mutex>& lock, const std::string& key) {
  for (;;) {
    auto it = jobs_.find(key);
    if (stopping_ || it->second.empty()) {
      jobs_.erase(it);
      return;
    }
    auto job = std::move(it->second.front());
    it->second.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

void Workers::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  work_.notify_all();
  gone_.wait(lock, [this] { return threads_ == 0; });
}

}  // namespace sampan::engine
