#include "shim/internal/links.h"

namespace sampan::shim {

Result<void> DaemonLinks::listen(int dir) {
  listener_ = TRY(sys::listen_packets(dir, "shim.sock"));
  watch_.set(loop_, listener_.get(), EPOLLIN, *this);
  return {};
}

void DaemonLinks::on_ready(uint32_t) {
  auto link = sys::accept_packets(listener_.get());
  if (link && *link) adopt(std::move(**link));
}

void DaemonLinks::adopt(sys::Fd socket) {
  auto link = std::make_unique<Link>();
  link->owner = this;
  link->socket = std::move(socket);
  link->watch.set(loop_, link->socket.get(), EPOLLIN, *link);
  links_.push_back(std::move(link));
}

void DaemonLinks::receive(Link& link) {
  auto packet = sys::receive_packet(link.socket.get(), std::chrono::milliseconds(0));
  if (packet && !*packet) return;
  if (!packet || (*packet)->end) {
    link.closed = true;
    link.watch.reset();
    return;
  }
  on_request_(std::move(**packet));
}

uint64_t DaemonLinks::send_reliably(Event event) {
  event.number = ++last_number_;
  auto sort = Kept::Sort::Other;
  if (event.kind == static_cast<int>(ShimEvent::Kind::Health)) {
    sort = event.health_changed ? Kept::Sort::HealthChange : Kept::Sort::Probe;
    make_room(sort, event.health_changed ? kMaxHealthChanges : kMaxProbes);
  }
  if (kept_.size() >= kMaxKept) kept_.pop_front();
  kept_.push_back({event.number, format_event(event), sort});
  for (auto& link : links_) send_kept(*link);
  return event.number;
}

/// Of probes nobody wants more than the last results; they carry output.
void DaemonLinks::make_room(Kept::Sort sort, size_t most) {
  auto same = [&](const Kept& kept) { return kept.sort == sort; };
  if (static_cast<size_t>(std::ranges::count_if(kept_, same)) < most) return;
  kept_.erase(std::ranges::find_if(kept_, same));
}

void DaemonLinks::send_kept(Link& link) {
  for (const auto& event : kept_) {
    if (event.number <= link.sent || link.closed) continue;
    if (!sys::send_packet(link.socket.get(), event.text)) return;  // its queue is full: the next tick tries again
    link.sent = event.number;
  }
}

void DaemonLinks::acknowledge(uint64_t number) {
  std::erase_if(kept_, [&](const Kept& event) { return event.number == number; });
}

bool DaemonLinks::acknowledged(uint64_t number) const {
  return std::ranges::none_of(kept_, [&](const Kept& event) { return event.number == number; });
}

std::vector<Event> DaemonLinks::unacknowledged() const {
  std::vector<Event> out;
  for (const auto& kept : kept_) {
    if (auto event = parse_event(kept.text)) out.push_back(std::move(*event));
  }
  return out;
}

void DaemonLinks::tick() {
  std::erase_if(links_, [](const auto& link) { return link->closed; });
  if (kept_.empty()) return;
  for (auto& link : links_) send_kept(*link);
}

}  // namespace sampan::shim
