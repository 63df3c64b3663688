#include "bench/generator/connections.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "dataplane/net/hash.h"
#include "dataplane/net/packet.h"

namespace nezu::generator {

using namespace net;

namespace {

/// Overdue openings that are made up for after a pause.
constexpr uint64_t kMostOverdue = 256;
/// Begun in one turn, so that answers are heard in between.
constexpr uint32_t kMostInTurn = 32;
constexpr uint64_t kNobody = ~uint64_t{0};

uint64_t low_half(const Address& address) {
  return __builtin_bswap64(load<uint64_t>(&address.bytes[8]));
}

/// What an answer says of its server.
uint32_t word_of(const Address& server) {
  uint32_t word;
  std::memcpy(&word, &server.bytes[12], sizeof word);
  return word;
}

bool is_before(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

}  // namespace

Connections::Connections(const ConnectionOptions& options)
    : options_(options),
      addresses_(expand(options.clients, 65536)),
      ports_(options.client_ports.last - options.client_ports.first + 1u),
      interval_(static_cast<uint64_t>(options.retransmit_seconds * options.hz)) {
  const uint64_t all = std::min<uint64_t>(uint64_t{ports_} * addresses_.size(), options.most);
  connections_.resize(all);
  for (uint32_t i = 0; i < all; ++i) free_.push_back(i);
}

Tuple Connections::flow_of(uint32_t number) const {
  const auto clients = static_cast<uint32_t>(addresses_.size());
  return {addresses_[number % clients], options_.targets[number % options_.targets.size()],
          static_cast<uint16_t>(options_.client_ports.first + number / clients),
          options_.target_port};
}

/// Whose answer that is, by its destination.
uint64_t Connections::number_of(const Tuple& answer) const {
  if (!options_.clients.contains(answer.destination) ||
      answer.destination_port < options_.client_ports.first ||
      answer.destination_port > options_.client_ports.last) {
    return kNobody;
  }
  const uint64_t client = low_half(answer.destination) - low_half(options_.clients.first);
  const uint64_t port = answer.destination_port - options_.client_ports.first;
  const uint64_t number = port * addresses_.size() + client;
  return client < addresses_.size() && number < connections_.size() ? number : kNobody;
}

/// RFC 6528's idea: what a server begins with follows from the flow as it sees it.
uint32_t Connections::first_of_server(const Tuple& flow) const {
  uint64_t sum = options_.seed;
  for (const Address* address : {&flow.source, &flow.destination}) {
    sum = mix64(sum ^ load<uint64_t>(&address->bytes[0]));
    sum = mix64(sum ^ load<uint64_t>(&address->bytes[8]));
  }
  return static_cast<uint32_t>(
      mix64(sum ^ (uint64_t{flow.source_port} << 16 | flow.destination_port)));
}

uint64_t Connections::held_by(const Address& server) const {
  const uint32_t word = word_of(server);
  return static_cast<uint64_t>(std::count_if(
      connections_.begin(), connections_.end(),
      [&](const Connection& one) { return one.state == State::held && one.server == word; }));
}

void Connections::open(double rate, uint64_t count, bool closes, uint64_t now) {
  job_ = std::make_unique<Job>(
      Job{Work::open, Pacer(rate, options_.hz, now, kMostOverdue), count, 0, closes});
}
void Connections::ask_all(double rate, uint64_t now) {
  job_ = std::make_unique<Job>(
      Job{Work::ask, Pacer(rate, options_.hz, now, kMostOverdue), connections_.size(), 0, false});
}
void Connections::close_all(double rate, uint64_t now) {
  job_ = std::make_unique<Job>(
      Job{Work::close, Pacer(rate, options_.hz, now, kMostOverdue), connections_.size(), 0, true});
}

void Connections::begin(uint32_t number, bool closes, uint64_t now) {
  Connection& one = connections_[number];
  const uint32_t first = static_cast<uint32_t>(mix64(now ^ uint64_t{number} << 32));
  one = Connection{};
  one.state = State::opening;
  one.closes = closes;
  one.sequence = first;
  ++busy_;
  ++counts_.attempted;
  speak(number, now);
}

void Connections::begin_asking(uint32_t number, uint64_t now) {
  Connection& one = connections_[number];
  one.state = State::asking;
  one.tries = 0;
  one.answered = 0;
  speak(number, now);
}

void Connections::begin_closing(uint32_t number, uint64_t now) {
  Connection& one = connections_[number];
  one.state = State::closing;
  one.tries = 0;
  speak(number, now);
}

/// Says what the state has to say, again where it was said before.
void Connections::speak(uint32_t number, uint64_t now) {
  Connection& one = connections_[number];
  Segment segment;
  segment.flow = flow_of(number);
  segment.sequence = one.sequence;
  segment.acknowledgement = one.expected;
  switch (one.state) {
    case State::opening:
      segment.flags = kTcpSyn;
      segment.acknowledgement = 0;
      break;
    case State::asking:
      segment.flags = kTcpAck | kTcpPsh;
      segment.payload = static_cast<uint16_t>(options_.request);
      segment.words = {number, one.turn, 0};
      break;
    case State::closing:
      segment.flags = kTcpFin | kTcpAck;
      break;
    case State::closed:
    case State::held:
      return;
  }
  if (one.tries++ != 0) ++counts_.retransmitted;
  one.deadline = now + interval_;
  waiting_.push_back({number, one.deadline});
  out_[static_cast<size_t>(Way::to_right)].push_back(segment);
}

void Connections::acknowledge(uint32_t number) {
  const Connection& one = connections_[number];
  Segment segment;
  segment.flow = flow_of(number);
  segment.sequence = one.sequence;
  segment.acknowledgement = one.expected;
  segment.flags = kTcpAck;
  out_[static_cast<size_t>(Way::to_right)].push_back(segment);
}

void Connections::end(uint32_t number, bool failed) {
  Connection& one = connections_[number];
  if (one.state == State::held) {
    --held_;
  } else {
    --busy_;
  }
  one.state = State::closed;
  ++(failed ? counts_.failed : counts_.closed);
  free_.push_back(number);
}

/// The whole answer is here.
void Connections::answered(uint32_t number, uint64_t now) {
  Connection& one = connections_[number];
  one.sequence += options_.request;
  ++one.turn;
  ++counts_.completed;
  if (one.closes) {
    begin_closing(number, now);
    return;
  }
  acknowledge(number);
  one.state = State::held;
  ++held_;
  --busy_;
}

void Connections::to_client(const SeenSegment& seen, uint32_t number, uint64_t now) {
  const Segment& segment = seen.segment;
  Connection& one = connections_[number];
  if ((segment.flags & kTcpRst) != 0) {
    ++counts_.resets;
    if (one.state != State::closed) end(number, true);
    return;
  }
  if (one.state == State::closed) return;
  if (one.state == State::opening) {
    const bool fits = (segment.flags & kTcpSyn) != 0 && (segment.flags & kTcpAck) != 0 &&
                      segment.acknowledgement == one.sequence + 1;
    if (!fits) return;
    ++one.sequence;
    one.expected = segment.sequence + 1;
    ++counts_.established;
    begin_asking(number, now);
    return;
  }
  if ((segment.flags & kTcpSyn) != 0) return;  // said again
  if (one.state == State::asking && segment.payload != 0) {
    if (is_before(segment.sequence, one.expected)) {
      acknowledge(number);
      return;
    }
    if (segment.sequence != one.expected) return;  // asked for again in time
    if (one.answered == 0) {
      const bool mine =
          seen.has_words && segment.words.connection == number && segment.words.turn == one.turn;
      const bool same = !one.has_server || segment.words.server == one.server;
      if (!mine || !same) {
        if (mine) ++counts_.moved;
        end(number, true);
        return;
      }
      one.server = segment.words.server;
      one.has_server = true;
    }
    one.answered += segment.payload;
    one.expected += segment.payload;
    if (one.answered >= options_.response) answered(number, now);
    return;
  }
  if (one.state == State::closing && (segment.flags & kTcpFin) != 0 &&
      segment.acknowledgement == one.sequence + 1) {
    ++one.sequence;
    one.expected = segment.sequence + 1;
    acknowledge(number);
    end(number, false);
  }
}

/// Says its part to whatever a client says, from what the segment tells.
void Connections::to_server(const SeenSegment& seen) {
  const Segment& segment = seen.segment;
  const bool is_check = options_.checker == segment.flow.source;
  if ((segment.flags & kTcpRst) != 0) {
    // A check is over when it knows enough: many end by a RST.
    if (!is_check) ++counts_.resets;
    return;
  }
  const uint32_t first = first_of_server(segment.flow);
  Segment answer;
  answer.flow = segment.flow.mirrored();
  std::deque<Segment>& out = out_[static_cast<size_t>(Way::to_left)];
  if ((segment.flags & kTcpSyn) != 0) {
    ++(is_check ? counts_.checks : counts_.accepted);
    answer.sequence = first;
    answer.acknowledgement = segment.sequence + 1;
    answer.flags = kTcpSyn | kTcpAck;
    out.push_back(answer);
    return;
  }
  answer.sequence = segment.acknowledgement;
  answer.acknowledgement = segment.sequence + segment.payload;
  answer.flags = kTcpAck;
  if ((segment.flags & kTcpFin) != 0) {
    ++answer.acknowledgement;
    answer.flags |= kTcpFin;
    out.push_back(answer);
    return;
  }
  if (!seen.has_words) return;
  ++counts_.served;
  // What the client has of this answer already, when it asks again.
  const uint32_t had = (segment.acknowledgement - first - 1) % options_.response;
  answer.words = segment.words;
  answer.words.server = word_of(segment.flow.destination);
  answer.is_first = had == 0;
  for (uint32_t said = had; said < options_.response;) {
    answer.payload =
        static_cast<uint16_t>(std::min<uint32_t>(options_.response - said, options_.most_payload));
    said += answer.payload;
    if (said == options_.response) answer.flags |= kTcpPsh;
    out.push_back(answer);
    answer.sequence += answer.payload;
    answer.is_first = false;
  }
}

void Connections::receive(const SeenSegment& seen, uint64_t now) {
  const uint64_t number = number_of(seen.segment.flow);
  // Which end it is for: clients are known by their addresses and ports, and what they answer to by
  // the target's.
  if (number != kNobody && seen.segment.flow.source_port == options_.target_port) {
    to_client(seen, static_cast<uint32_t>(number), now);
  } else {
    to_server(seen);
  }
}

/// False when there is nothing left to do it with.
bool Connections::do_one(Job& job, uint64_t now) {
  if (job.work == Work::open) {
    if (free_.empty()) {
      ++counts_.skipped;
      return true;
    }
    const uint32_t number = free_.front();
    free_.pop_front();
    begin(number, job.closes, now);
    return true;
  }
  while (job.at < connections_.size() && connections_[job.at].state != State::held) ++job.at;
  if (job.at == connections_.size()) return false;
  --held_;
  ++busy_;
  const uint32_t number = job.at++;
  if (job.work == Work::ask) {
    begin_asking(number, now);
  } else {
    begin_closing(number, now);
  }
  return true;
}

void Connections::turn(uint64_t now) {
  while (!waiting_.empty() && waiting_.front().deadline <= now) {
    const Waiting due = waiting_.front();
    waiting_.pop_front();
    Connection& one = connections_[due.number];
    const bool waits =
        one.state == State::opening || one.state == State::asking || one.state == State::closing;
    if (!waits || one.deadline != due.deadline) continue;
    if (one.tries > options_.retransmissions) {
      end(due.number, true);
    } else {
      speak(due.number, now);
    }
  }
  if (job_ == nullptr) return;
  const uint64_t skipped = job_->pacer.skipped();
  const auto most = static_cast<uint32_t>(std::min<uint64_t>(kMostInTurn, job_->left));
  const uint32_t due = job_->pacer.take(now, most);
  if (job_->work == Work::open) counts_.skipped += job_->pacer.skipped() - skipped;
  for (uint32_t i = 0; i < due; ++i) {
    --job_->left;
    if (!do_one(*job_, now)) job_->left = 0;
    if (job_->left == 0) {
      job_ = nullptr;
      return;
    }
  }
}

bool Connections::take(Way way, Segment& out) {
  std::deque<Segment>& queue = out_[static_cast<size_t>(way)];
  if (queue.empty()) return false;
  out = queue.front();
  queue.pop_front();
  return true;
}

}  // namespace nezu::generator
