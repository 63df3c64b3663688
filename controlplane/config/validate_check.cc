#include "controlplane/config/validate.h"
#include "dataplane/net/address.h"

namespace nezu::config {
namespace {

bool is_status(std::string_view text) {
  return text.size() == 3 && text[0] >= '1' && text[0] <= '5' && isdigit(text[1]) &&
         isdigit(text[2]);
}

bool is_status_range(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) {
    return is_status(text);
  }
  const std::string_view first = text.substr(0, dash);
  const std::string_view last = text.substr(dash + 1);
  return is_status(first) && is_status(last) && first <= last;
}

void validate_http(const v1::HttpCheck& http, const std::string& path, Problems& problems) {
  check_length(http.path(), 1023, path + ".path", problems);
  check_length(http.host(), 255, path + ".host", problems);
  check_length(http.body_regex(), 1023, path + ".body_regex", problems);
  if (!http.path().starts_with('/') || http.path().find(' ') != std::string::npos) {
    complain(problems, path + ".path", http.path(),
             "The path must begin with '/' and have no space; write a space as %20.");
  }
  if (http.method() != v1::HTTP_METHOD_GET) {
    complain(problems, path + ".method", std::to_string(http.method()),
             "The method must be get; leave it out.");
  }
  for (int i = 0; i < http.statuses_size(); ++i) {
    if (!is_status_range(http.statuses(i))) {
      complain(problems, path + ".statuses[" + std::to_string(i) + "]", http.statuses(i),
               "This is no status; write \"200\" or a range as \"200-399\".");
    }
  }
}

}  // namespace

void validate(const v1::HealthCheck& check, const std::string& path, Problems& problems) {
  if (check.kind_case() == v1::HealthCheck::KIND_NOT_SET) {
    complain(problems, path, "", "The kind is missing; add icmp: {}, tcp: {} or http: {}.");
  }
  if (!check.address().empty() && !net::parse_address(check.address())) {
    complain(problems, path + ".address", check.address(),
             "This is no IPv4 or IPv6 address; leave it out to check each server's own.");
  }
  if (check.port() > 65535) {
    complain(problems, path + ".port", std::to_string(check.port()),
             "The port must be from 1 to 65535; leave it out to check each server's own.");
  }
  check_range(check.interval_ms(), 100, 3600000, "ms", path + ".interval_ms", problems);
  check_range(check.timeout_ms(), 10, 60000, "ms", path + ".timeout_ms", problems);
  if (check.timeout_ms() > check.interval_ms()) {
    complain(problems, path + ".timeout_ms", std::to_string(check.timeout_ms()),
             "The timeout must not be longer than the interval of " +
                 std::to_string(check.interval_ms()) + " ms; shorten it or check less often.");
  }
  check_range(check.rise(), 1, 100, "", path + ".rise", problems);
  check_range(check.fall(), 1, 100, "", path + ".fall", problems);
  check_range(check.jitter_percent(), 0, 50, "%", path + ".jitter_percent", problems);
  check_range(check.hold_down_ms(), 0, 86400000, "ms", path + ".hold_down_ms", problems);
  check_length(check.user_agent(), 255, path + ".user_agent", problems);
  if (check.proxy_protocol() && check.has_icmp()) {
    complain(problems, path + ".proxy_protocol", "true",
             "A ping has no place for a PROXY header; use a tcp or http check, or leave it out.");
  }
  if (check.has_http()) {
    validate_http(check.http(), path + ".http", problems);
  }
}

}  // namespace nezu::config
