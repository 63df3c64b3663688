#include "controlplane/health/agent.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "controlplane/health/agent_words.h"
#include "controlplane/health/socket_address.h"

namespace nezu::health {
namespace {

Outcome failure(std::string text) { return {Outcome::Kind::failure, std::move(text)}; }

Outcome failure_of(int error) {
  return {is_own_fault(error) ? Outcome::Kind::broken : Outcome::Kind::failure, error_text(error)};
}

/// A line without a word that counts is no answer: it must not pass for one unseen.
Outcome outcome_of(std::string_view line) {
  const AgentWords words = read_agent_line(line);
  const std::string quoted = '"' + shown(line) + '"';
  const std::string stranger =
      words.unknown.empty() ? "" : ", of which \"" + words.unknown + "\" is no word of an agent";
  if (!words.exists()) {
    return failure(line.empty() ? "it said nothing" : "it said " + quoted + stranger);
  }
  Outcome outcome{Outcome::Kind::success, "said " + quoted + stranger};
  outcome.line = line;
  return outcome;
}

}  // namespace

AgentProber::~AgentProber() {
  while (!questions_.empty()) {
    end(questions_.begin()->first);
  }
}

void AgentProber::start(Ticket ticket, const Check& check) {
  const SocketAddress peer = socket_address(check.address, check.port);
  Descriptor fd(::socket(peer.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.exists()) {
    finish_(ticket, {Outcome::Kind::broken, "no socket: " + error_text(errno)});
    return;
  }
  if (bind_to(fd.get(), check.interface) != 0) {
    finish_(ticket, {Outcome::Kind::broken, unbound_text(check.interface)});
    return;
  }
  if (::connect(fd.get(), peer.get(), peer.size) != 0 && errno != EINPROGRESS) {
    finish_(ticket, failure_of(errno));
    return;
  }
  loop_.watch(fd.get(), EPOLLOUT, [this, ticket](uint32_t) { on_ready(ticket); });
  Question& question = questions_[ticket];
  question.socket = std::move(fd);
  question.check = &check;
}

void AgentProber::on_ready(Ticket ticket) {
  Question& question = questions_.at(ticket);
  if (question.is_asked) {
    listen(ticket, question);
  } else {
    ask(ticket, question);
  }
}

void AgentProber::ask(Ticket ticket, Question& question) {
  const int fd = question.socket.get();
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  // A new socket's buffer has room for all of it.
  const std::string& text = question.check->send;
  if (error == 0 && !text.empty() && ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) {
    error = errno;
  }
  if (error != 0) {
    finish(ticket, failure_of(error));
    return;
  }
  question.is_asked = true;
  loop_.watch(fd, EPOLLIN, [this, ticket](uint32_t) { on_ready(ticket); });
}

void AgentProber::listen(Ticket ticket, Question& question) {
  std::array<char, kLongestAgentLine> some;
  const ssize_t count = ::recv(question.socket.get(), some.data(), some.size(), 0);
  if (count < 0) {
    // What came before a reset may be a whole line, which was told at once.
    if (errno != EAGAIN && errno != EINTR) {
      finish(ticket, failure_of(errno));
    }
    return;
  }
  question.received.append(some.data(), static_cast<size_t>(count));
  if (const auto line = agent_line(question.received, count == 0);
      line && line->size() <= kLongestAgentLine) {
    Outcome outcome = outcome_of(*line);
    outcome.bytes = question.received.size();
    finish(ticket, std::move(outcome));
  } else if (question.received.size() > kLongestAgentLine) {
    finish(ticket, failure("its line has more than 1024 bytes"));
  }
}

Outcome AgentProber::abandon(Ticket ticket) {
  const auto found = questions_.find(ticket);
  const bool is_asked = found != questions_.end() && found->second.is_asked;
  end(ticket);
  return failure(is_asked ? "no whole line" : "no answer to the connection attempt");
}

void AgentProber::finish(Ticket ticket, Outcome outcome) {
  end(ticket);
  finish_(ticket, std::move(outcome));
}

void AgentProber::end(Ticket ticket) {
  const auto found = questions_.find(ticket);
  if (found != questions_.end()) {
    loop_.forget(found->second.socket.get());
    questions_.erase(found);
  }
}

}  // namespace nezu::health
