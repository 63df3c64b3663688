#include "controlplane/health/http.h"

#include <curl/curl.h>
#include <re2/re2.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>

#include "controlplane/health/socket_address.h"

namespace nezu::health {
namespace {

/// A body is read and matched up to here; what comes after changes no verdict.
constexpr size_t kMostBody = 256 << 10;

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

bool is_accepted(long status, const std::vector<StatusRange>& ranges) {
  const auto holds = [status](const StatusRange& r) {
    return status >= r.first && status <= r.last;
  };
  return ranges.empty() ? holds(StatusRange{}) : std::ranges::any_of(ranges, holds);
}

RE2::Options quiet() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  options.set_dot_nl(true);  // bodies have lines
  return options;
}

}  // namespace

struct HttpProber::Exchange {
  Ticket ticket{};
  const Check* check = nullptr;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::string body;
  uint64_t bytes = 0;
  bool had_enough = false;
  int socket_error = 0;  // of socket(), which libcurl does not tell
  bool is_unbound = false;
  std::array<char, CURL_ERROR_SIZE> error{};

  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
  static size_t on_body(const char* bytes, size_t, size_t count, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.bytes += count;
    const size_t room = kMostBody - exchange.body.size();
    exchange.body.append(bytes, std::min(count, room));
    exchange.had_enough = exchange.body.size() == kMostBody;
    return exchange.had_enough ? 0 : count;  // 0 ends the transfer
  }
  static curl_socket_t on_open(void* self, curlsocktype, curl_sockaddr* peer) {
    const int fd = ::socket(peer->family, peer->socktype | SOCK_CLOEXEC, peer->protocol);
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.socket_error = fd < 0 ? errno : 0;
    if (fd >= 0 && bind_to(fd, exchange.check->interface) != 0) {
      exchange.is_unbound = true;
      ::close(fd);
      return CURL_SOCKET_BAD;
    }
    return fd;
  }
  Outcome outcome(CURLcode code) const;
  Outcome transport_outcome(CURLcode code) const;
};

struct HttpProber::Curl {
  Curl(Loop& the_loop, Finish the_finish, std::string agent)
      : loop(the_loop), finish(std::move(the_finish)), user_agent(std::move(agent)) {}

  Loop& loop;
  Finish finish;
  std::string user_agent;
  CURLM* multi = nullptr;
  Loop::Timer timer = Loop::Timer::none;
  std::unordered_map<Ticket, std::unique_ptr<Exchange>> exchanges;

  bool prepare(Exchange& exchange);
  void act(curl_socket_t fd, int flags);
  void collect();
  void remove(Ticket ticket);
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int on_timer(CURLM*, long milliseconds, void* self);
};

Outcome HttpProber::Exchange::outcome(CURLcode code) const {
  if (code != CURLE_OK && !had_enough) {
    return transport_outcome(code);
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  const std::string text = "HTTP " + std::to_string(status);
  if (!is_accepted(status, check->http.statuses)) {
    return {Outcome::Kind::failure, text + " is not an accepted status", bytes};
  }
  if (!check->http.body_regex.empty()) {
    const RE2 wanted(check->http.body_regex, quiet());
    if (!wanted.ok()) {
      return {Outcome::Kind::broken, "the body's regex is wrong: " + wanted.error(), bytes};
    }
    if (!RE2::PartialMatch(body, wanted)) {
      return {Outcome::Kind::failure,
              text + ", but the body does not match \"" + check->http.body_regex + "\"", bytes};
    }
  }
  return {Outcome::Kind::success, text, bytes};
}

/// What kept the exchange from its end, in errno's words where there is one, else in libcurl's.
Outcome HttpProber::Exchange::transport_outcome(CURLcode code) const {
  if (is_unbound) {
    return {Outcome::Kind::broken, unbound_text(check->interface), bytes};
  }
  if (socket_error != 0) {
    return {Outcome::Kind::broken, "no socket: " + error_text(socket_error), bytes};
  }
  long os_error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
  const int connect_error = code == CURLE_COULDNT_CONNECT ? static_cast<int>(os_error) : 0;
  const bool ours =
      code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT || is_own_fault(connect_error);
  std::string text = error[0] != '\0' ? error.data() : curl_easy_strerror(code);
  if (connect_error != 0) {
    text = error_text(connect_error);
  }
  return {ours ? Outcome::Kind::broken : Outcome::Kind::failure, std::move(text), bytes};
}

bool HttpProber::Curl::prepare(Exchange& exchange) {
  const Check& check = *exchange.check;
  CURL* easy = exchange.easy = curl_easy_init();
  if (easy == nullptr) {
    return false;
  }
  const std::string authority = net::to_string(check.address, check.port);
  const std::string url = "http://" + authority + check.http.path;
  const std::string& agent = check.http.user_agent.empty() ? user_agent : check.http.user_agent;
  exchange.headers = curl_slist_append(exchange.headers, "Connection: close");
  if (!check.http.host.empty()) {
    exchange.headers = curl_slist_append(exchange.headers, ("Host: " + check.http.host).c_str());
  }
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_HAPROXYPROTOCOL, check.proxy_protocol ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange.headers);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, agent.c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  // Our deadline is the engine's, which knows about our own delays; libcurl's is only a backstop.
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(check.timeout.count() * 4));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(check.timeout.count() * 4));
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Exchange::on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange.error.data());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &exchange);
  return true;
}

void HttpProber::Curl::act(curl_socket_t fd, int flags) {
  int running = 0;
  curl_multi_socket_action(multi, fd, flags, &running);
  collect();
}

void HttpProber::Curl::collect() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    Exchange* exchange = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
    Outcome outcome = exchange->outcome(message->data.result);
    const Ticket ticket = exchange->ticket;
    remove(ticket);
    finish(ticket, std::move(outcome));
  }
}

void HttpProber::Curl::remove(Ticket ticket) {
  const auto found = exchanges.find(ticket);
  if (found != exchanges.end()) {
    curl_multi_remove_handle(multi, found->second->easy);
    exchanges.erase(found);
  }
}

int HttpProber::Curl::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto& curl = *static_cast<Curl*>(self);
  if (what == CURL_POLL_REMOVE) {
    curl.loop.forget(fd);
    return 0;
  }
  const uint32_t events =
      ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0u);
  try {
    curl.loop.watch(fd, events, [&curl, fd](uint32_t ready) {
      const int flags = ((ready & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                        ((ready & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                        ((ready & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
      curl.act(fd, flags);
    });
  } catch (const std::exception&) {
    return -1;  // no exception may cross libcurl; it fails its transfers instead
  }
  return 0;
}

int HttpProber::Curl::on_timer(CURLM*, long milliseconds, void* self) {
  auto& curl = *static_cast<Curl*>(self);
  curl.loop.cancel(curl.timer);
  if (milliseconds >= 0) {
    curl.timer = curl.loop.at(Loop::now() + std::chrono::milliseconds{milliseconds},
                              [&curl] { curl.act(CURL_SOCKET_TIMEOUT, 0); });
  }
  return 0;
}

HttpProber::HttpProber(Loop& loop, Finish finish, std::string user_agent)
    : curl_(std::make_unique<Curl>(loop, std::move(finish), std::move(user_agent))) {
  start_curl();
  curl_->multi = curl_multi_init();
  if (curl_->multi == nullptr) {
    throw std::bad_alloc();
  }
  curl_multi_setopt(curl_->multi, CURLMOPT_SOCKETFUNCTION, &Curl::on_socket);
  curl_multi_setopt(curl_->multi, CURLMOPT_SOCKETDATA, curl_.get());
  curl_multi_setopt(curl_->multi, CURLMOPT_TIMERFUNCTION, &Curl::on_timer);
  curl_multi_setopt(curl_->multi, CURLMOPT_TIMERDATA, curl_.get());
  curl_multi_setopt(curl_->multi, CURLMOPT_MAXCONNECTS, 1L);  // nothing is kept for later
}

HttpProber::~HttpProber() {
  while (!curl_->exchanges.empty()) {
    curl_->remove(curl_->exchanges.begin()->first);
  }
  curl_multi_cleanup(curl_->multi);
  curl_->loop.cancel(curl_->timer);
}

void HttpProber::start(Ticket ticket, const Check& check) {
  auto exchange = std::make_unique<Exchange>();
  exchange->ticket = ticket;
  exchange->check = &check;
  if (!curl_->prepare(*exchange) ||
      curl_multi_add_handle(curl_->multi, exchange->easy) != CURLM_OK) {
    curl_->finish(ticket, {Outcome::Kind::broken, "libcurl is out of memory", 0});
    return;
  }
  curl_->exchanges.emplace(ticket, std::move(exchange));
}

Outcome HttpProber::abandon(Ticket ticket) {
  const auto found = curl_->exchanges.find(ticket);
  if (found == curl_->exchanges.end()) {
    return {};
  }
  const Exchange& exchange = *found->second;
  long status = 0;
  double connected = 0;
  curl_easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(exchange.easy, CURLINFO_CONNECT_TIME, &connected);
  Outcome outcome{Outcome::Kind::failure, "no answer to the connection attempt", exchange.bytes};
  if (status != 0) {
    outcome.text = "HTTP " + std::to_string(status) + ", but the body did not end";
  } else if (connected > 0) {
    outcome.text = "connected, but no HTTP answer";
  }
  curl_->remove(ticket);
  return outcome;
}

std::string problem_of_regex(const std::string& regex) {
  const RE2 compiled(regex, quiet());
  return compiled.ok() ? "" : compiled.error();
}

}  // namespace nezu::health
