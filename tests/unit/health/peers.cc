#include "tests/unit/health/peers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "controlplane/health/socket_address.h"

namespace nezu::health {
namespace {

using std::chrono::milliseconds;

net::Address loopback(bool ipv6) { return *net::parse_address(ipv6 ? "::1" : "127.0.0.1"); }

/// A bound socket; `port` 0 lets the kernel choose.
int bound(bool ipv6, uint16_t& port) {
  SocketAddress address = socket_address(loopback(ipv6), port);
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, address.get(), address.size) != 0) {
    throw std::runtime_error(std::string("bind: ") + std::strerror(errno));
  }
  socklen_t size = sizeof address.storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &size);
  port = ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
  return fd;
}

}  // namespace

Listener::Listener(Manner manner, std::string answer, uint16_t port, bool ipv6)
    : manner_(manner), answer_(std::move(answer)), port_(port) {
  fd_ = bound(ipv6, port_);
  ::listen(fd_, 4096);
  ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  thread_ = std::thread([this] { serve(); });
}

Listener::~Listener() {
  stopping_ = true;
  thread_.join();
  ::close(fd_);
  for (const int client : clients_) {
    ::close(client);
  }
}

void Listener::serve() {
  while (!stopping_) {
    pollfd wanted{.fd = fd_, .events = POLLIN, .revents = 0};
    ::poll(&wanted, 1, 10);
    for (int client; (client = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      ++accepted_;
      serve_one(client);
    }
    if (manner_ == Manner::trickle) {
      for (const int client : clients_) {
        [[maybe_unused]] const auto sent = ::send(client, "x", 1, MSG_NOSIGNAL);
      }
    }
  }
}

void Listener::serve_one(int client) {
  if (manner_ == Manner::accept) {
    ::close(client);
    return;
  }
  if (manner_ == Manner::silent) {
    clients_.push_back(client);
    return;
  }
  if (manner_ == Manner::speak || manner_ == Manner::stay) {
    const std::string text = answer();
    ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
    manner_ == Manner::stay ? clients_.push_back(client) : static_cast<void>(::close(client));
    return;
  }
  std::string request;
  char bytes[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const auto got = ::recv(client, bytes, sizeof bytes, 0);
    if (got <= 0) {
      break;
    }
    request.append(bytes, static_cast<size_t>(got));
  }
  {
    const std::lock_guard lock(mutex_);
    last_request_ = request;
  }
  if (manner_ == Manner::trickle) {
    constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    ::send(client, kHead.data(), kHead.size(), MSG_NOSIGNAL);
    clients_.push_back(client);
    return;
  }
  const std::string text = answer();
  ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
  ::close(client);
}

void Listener::set_answer(std::string answer) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(answer);
}

std::string Listener::answer() const {
  const std::lock_guard lock(mutex_);
  return answer_;
}

std::string Listener::last_request() const {
  const std::lock_guard lock(mutex_);
  return last_request_;
}

DeafPort::DeafPort() {
  const int fd = bound(false, port_);
  ::listen(fd, 0);
  fds_.push_back(fd);
  // A backlog of 0 holds one connection; a few more fill whatever the kernel rounds it up to.
  const SocketAddress address = socket_address(loopback(false), port_);
  for (int i = 0; i < 4; ++i) {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ::connect(client, address.get(), address.size);
    fds_.push_back(client);
  }
  std::this_thread::sleep_for(milliseconds{50});
}

DeafPort::~DeafPort() {
  for (const int fd : fds_) {
    ::close(fd);
  }
}

uint16_t free_port() {
  uint16_t port = 0;
  ::close(bound(false, port));
  return port;
}

Nginx::Nginx() : port_(free_port()) {
  char pattern[] = "/tmp/nezu-nginx-XXXXXX";
  folder_ = ::mkdtemp(pattern);
  std::ofstream(folder_ / "nginx.conf")
      << "daemon off; master_process off; worker_processes 1;\n"
      << "pid " << folder_.string() << "/pid; error_log " << folder_.string() << "/error.log;\n"
      << "events { worker_connections 512; }\n"
      << "http { access_log off;\n"
      << "  client_body_temp_path " << folder_.string() << "/body; proxy_temp_path "
      << folder_.string() << "/proxy;\n"
      << "  fastcgi_temp_path " << folder_.string() << "/fcgi; uwsgi_temp_path " << folder_.string()
      << "/uwsgi;\n"
      << "  scgi_temp_path " << folder_.string() << "/scgi;\n"
      << "  server { listen 127.0.0.1:" << port_ << ";\n"
      << "    location = / { return 200 \"all is well\\n\"; }\n"
      << "    location = /sad { return 503; }\n"
      << "    location = /moved { return 302 http://127.0.0.1:1/; }\n"
      << "    location = /agent { return 200 $http_user_agent; }\n"
      << "    location = /host { return 200 $http_host; }\n"
      << "  } }\n";
  start();
}

void Nginx::start() {
  if (pid_ > 0) {
    return;
  }
  const std::string configuration = folder_ / "nginx.conf";
  const std::string log = folder_ / "error.log";
  pid_ = ::fork();
  if (pid_ == 0) {
    ::execlp("/usr/sbin/nginx", "nginx", "-p", folder_.c_str(), "-e", log.c_str(), "-c",
             configuration.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  const SocketAddress address = socket_address(loopback(false), port_);
  for (int i = 0; i < 500; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool answered = ::connect(fd, address.get(), address.size) == 0;
    ::close(fd);
    if (answered) {
      return;
    }
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      break;
    }
    std::this_thread::sleep_for(milliseconds{10});
  }
  stop();
}

void Nginx::stop() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

Nginx::~Nginx() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace nezu::health
