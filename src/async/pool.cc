#include "async/pool.h"

#include <pthread.h>

#include <chrono>
#include <system_error>
#include <thread>

namespace sampan::async {
namespace {

// An idle thread keeps its stack and its malloc cache; after this long it gives them back.
constexpr std::chrono::seconds kIdleTime(5);

}  // namespace

Pool::Pool(std::string name, size_t max_threads) : name_(std::move(name)), max_threads_(max_threads) {}
Pool::~Pool() {
  join();
}

void Pool::post(Work work) {
  std::lock_guard lock(mutex_);
  if (closing_) return;
  queue_.push_back(std::move(work));
  if (idle_ >= queue_.size()) {
    wake_.notify_one();
  } else if (threads_ < max_threads_) {
    start_thread();
  }
}

void Pool::start_thread() {
  ++threads_;
  try {
    std::thread([this] { run(); }).detach();
  } catch (const std::system_error&) {
    --threads_;  // out of threads: the ones that live take the work in turn
  }
}

void Pool::run() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    if (queue_.empty()) {
      if (closing_) break;
      ++idle_;
      bool woken = wake_.wait_for(lock, kIdleTime, [this] { return closing_ || !queue_.empty(); });
      --idle_;
      if (!woken && threads_ > 1) break;  // one stays, for the time when the host has no thread to spare
      continue;
    }
    {
      Work work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
    }  // what the work captured is destroyed outside the lock
    lock.lock();
  }
  --threads_;
  ended_.notify_all();
}

void Pool::join() {
  std::unique_lock lock(mutex_);
  closing_ = true;
  wake_.notify_all();
  ended_.wait(lock, [this] { return threads_ == 0; });
  queue_.clear();
}

}  // namespace sampan::async
