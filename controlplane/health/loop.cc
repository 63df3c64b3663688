#include "controlplane/health/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace nezu::health {
namespace {

// Shorter delays are what a scheduler does; longer ones would look like slow servers.
constexpr std::chrono::milliseconds kHeldUp{50};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Descriptor::reset() {
  if (fd_ >= 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!epoll_.exists()) {
    fail("epoll_create1");
  }
  if (!wake_.exists()) {
    fail("eventfd");
  }
  watch(wake_.get(), EPOLLIN, [this](uint32_t) {
    uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
  });
}

void Loop::watch(int fd, uint32_t epoll_events, Ready ready) {
  epoll_event event{};
  event.events = epoll_events;
  if (const auto known = watch_of_.find(fd); known != watch_of_.end()) {
    event.data.u64 = known->second;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) {
      watches_[known->second] = std::make_shared<Watch>(Watch{fd, std::move(ready)});
      return;
    }
    forget(fd);  // the descriptor was closed behind our back and its number is another's now
  }
  const uint64_t id = next_id_++;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    fail("epoll_ctl");
  }
  watches_.emplace(id, std::make_shared<Watch>(Watch{fd, std::move(ready)}));
  watch_of_[fd] = id;
}

void Loop::forget(int fd) {
  const auto known = watch_of_.find(fd);
  if (known == watch_of_.end()) {
    return;
  }
  watches_.erase(known->second);
  watch_of_.erase(known);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Loop::Timer Loop::at(Time when, Expired expired) {
  const uint64_t id = next_id_++;
  timers_.emplace(id, std::move(expired));
  due_.push(Pending{when, id});
  return Timer{id};
}

void Loop::cancel(Timer& timer) {
  timers_.erase(static_cast<uint64_t>(timer));
  timer = Timer::none;
}

void Loop::turn(std::chrono::milliseconds longest) {
  postpone_if_held_up(last_seen_);  // by whatever the caller did between two turns
  drop_cancelled();
  std::array<epoll_event, 256> events;
  const int wait = milliseconds_to_wait(longest);
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait);
  if (count < 0 && errno != EINTR) {
    fail("epoll_wait");
  }
  postpone_if_held_up(last_seen_ + std::chrono::milliseconds{wait});
  serve_sockets(count, events.data());
  postpone_if_held_up(last_seen_);
  serve_timers();
}

void Loop::wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const auto put = ::write(wake_.get(), &one, sizeof one);
}

int Loop::milliseconds_to_wait(std::chrono::milliseconds longest) const {
  if (due_.empty()) {
    return static_cast<int>(longest.count());
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due_.top().when - now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, longest.count()));
}

void Loop::drop_cancelled() {
  while (!due_.empty() && !timers_.contains(due_.top().id)) {
    due_.pop();
  }
}

void Loop::serve_sockets(int count, const epoll_event* events) {
  for (int i = 0; i < count; ++i) {
    const auto found = watches_.find(events[i].data.u64);
    if (found != watches_.end()) {
      const std::shared_ptr<Watch> held = found->second;  // the callback may forget itself
      held->ready(events[i].events);
    }
  }
}

void Loop::serve_timers() {
  const Time limit = now();
  while (!due_.empty() && due_.top().when <= limit) {
    const auto found = timers_.find(due_.top().id);
    due_.pop();
    if (found == timers_.end()) {
      continue;
    }
    const Expired expired = std::move(found->second);
    timers_.erase(found);
    expired();
  }
}

void Loop::postpone_if_held_up(Time expected) {
  last_seen_ = now();
  if (last_seen_ - expected > kHeldUp) {
    postpone(last_seen_ - expected);
  }
}

void Loop::postpone(std::chrono::nanoseconds delay) {
  std::vector<Pending> pending;
  pending.reserve(timers_.size());
  for (; !due_.empty(); due_.pop()) {
    if (timers_.contains(due_.top().id)) {
      pending.push_back({due_.top().when + delay, due_.top().id});
    }
  }
  due_ = decltype(due_)(std::greater<>{}, std::move(pending));
}

}  // namespace nezu::health
