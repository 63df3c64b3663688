#include "tools/nezu/text.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <optional>

#include "controlplane/config/yaml.h"
#include "dataplane/net/address.h"
#include "tools/nezu/failure.h"

namespace nezu::cli {
namespace {

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  char text[96];
  const int length = std::snprintf(text, sizeof text, pattern, values...);
  return {text, static_cast<size_t>(length)};
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && at == end ? std::optional(value) : std::nullopt;
}

[[noreturn]] void misunderstood(std::string_view text, const char* wanted) {
  throw Failure(Exit::usage, "\"" + std::string(text) + "\" is not " + wanted);
}

constexpr char kAddressPort[] =
    "an address, or an address with a port as 10.0.0.1:80 or "
    "[2001:db8::1]:80";

}  // namespace

AddressPort parse_address_port(std::string_view text) {
  AddressPort out;
  std::string_view address = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) {
      misunderstood(text, kAddressPort);
    }
    address = text.substr(1, close - 1);
    port = text.substr(close + 1);
  } else if (const size_t colon = text.find(':');
             colon != std::string_view::npos && text.find(':', colon + 1) == text.npos) {
    address = text.substr(0, colon);
    port = text.substr(colon);
  }
  const auto parsed = net::parse_address(address);
  if (!parsed) {
    misunderstood(text, kAddressPort);
  }
  out.address = net::to_string(*parsed);
  if (!port.empty()) {
    const auto value = number<uint16_t>(port.substr(1));
    if (port[0] != ':' || !value || *value == 0) {
      misunderstood(text, kAddressPort);
    }
    out.port = *value;
  }
  return out;
}

std::optional<v1::Protocol> parse_protocol(std::string_view text) {
  v1::Protocol protocol{};
  std::string name = "PROTOCOL_";
  for (const char letter : text) {
    name += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  if (!v1::Protocol_Parse(name, &protocol) || protocol == v1::PROTOCOL_UNSPECIFIED) {
    return std::nullopt;
  }
  return protocol;
}

v1::ServerIdentity parse_server(std::string_view text) {
  v1::ServerIdentity server;
  std::string_view place = text;
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    const auto instance = number<uint16_t>(text.substr(at + 1));
    if (!instance) {
      misunderstood(text, "a server of a network instance, as 10.0.0.1:80@10");
    }
    server.set_instance(*instance);
    text = text.substr(0, at);
    place = text;
  }
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) {
    const std::string_view protocol = text.substr(slash + 1);
    place = text.substr(0, slash);
    if (!parse_protocol(protocol)) {
      misunderstood(text, "a server, as 10.0.0.1:80, [2001:db8::1]:53/udp or 10.0.0.1/gre");
    }
    server.set_protocol(*parse_protocol(protocol));
  }
  const AddressPort parsed = parse_address_port(place);
  server.set_address(parsed.address);
  server.set_port(parsed.port);
  return server;
}

std::chrono::milliseconds parse_duration(std::string_view text) {
  constexpr char kWanted[] = "a duration, as 500ms, 30s, 5m or 2h";
  const size_t unit_at = text.find_first_not_of("0123456789.");
  const std::string_view unit = unit_at == text.npos ? "s" : text.substr(unit_at);
  const auto value = number<double>(text.substr(0, unit_at));
  const double factor = unit == "ms"  ? 1
                        : unit == "s" ? 1000
                        : unit == "m" ? 60'000
                        : unit == "h" ? 3'600'000
                                      : 0;
  if (!value || factor == 0 || *value * factor > 1e12) {
    misunderstood(text, kWanted);
  }
  return std::chrono::milliseconds{std::llround(*value * factor)};
}

std::string address_port(std::string_view address, uint32_t port) {
  const bool is_v6 = address.find(':') != address.npos;
  const std::string host = is_v6 ? "[" + std::string(address) + "]" : std::string(address);
  return port == 0 ? std::string(address) : host + ":" + std::to_string(port);
}

std::string instance_text(uint32_t instance) {
  return instance == 0 ? std::string() : "@" + std::to_string(instance);
}

std::string server_text(const v1::ServerIdentity& server) {
  const std::string place = address_port(server.address(), server.port());
  const bool is_usual =
      server.protocol() == v1::PROTOCOL_UNSPECIFIED || server.protocol() == v1::PROTOCOL_TCP;
  return (is_usual ? place : place + "/" + name_of(server.protocol())) +
         instance_text(server.instance());
}

std::string scaled(double value) {
  if (std::abs(value) < 10'000) {
    return format(value == std::floor(value) || std::abs(value) >= 100 ? "%.0f" : "%.1f", value);
  }
  constexpr const char* kUnits[] = {"k", "M", "G", "T", "P", "E"};
  size_t unit = 0;
  for (value /= 1000; std::abs(value) >= 1000 && unit + 1 < std::size(kUnits); ++unit) {
    value /= 1000;
  }
  return format(std::abs(value) < 10 ? "%.2f%s" : "%.1f%s", value, kUnits[unit]);
}

std::string bytes_text(uint64_t bytes) {
  if (bytes < 1024) {
    return format("%.0f B", static_cast<double>(bytes));
  }
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) {
    value /= 1024;
  }
  return format("%.1f %s", value, kUnits[unit]);
}

std::string bit_rate(double bits_per_second) {
  constexpr const char* kUnits[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
  size_t unit = 0;
  for (; bits_per_second >= 1000 && unit + 1 < std::size(kUnits); ++unit) {
    bits_per_second /= 1000;
  }
  return format(unit == 0 ? "%.0f %s" : "%.2f %s", bits_per_second, kUnits[unit]);
}

std::string percent(double share) { return format("%.0f %%", share * 100); }

std::string duration_text(uint64_t seconds) {
  const auto pair = [](uint64_t large, const char* unit, uint64_t small, const char* small_unit) {
    return std::to_string(large) + unit + " " + std::to_string(small) + small_unit;
  };
  if (seconds < 60) {
    return std::to_string(seconds) + "s";
  }
  if (seconds < 3600) {
    return pair(seconds / 60, "m", seconds % 60, "s");
  }
  if (seconds < 86'400) {
    return pair(seconds / 3600, "h", seconds % 3600 / 60, "m");
  }
  return pair(seconds / 86'400, "d", seconds % 86'400 / 3600, "h");
}

std::string time_text(const google::protobuf::Timestamp& time, bool is_set) {
  if (!is_set) {
    return "-";
  }
  const std::time_t seconds = time.seconds();
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)};
}

std::string enum_text(const google::protobuf::EnumDescriptor& type, int value) {
  const auto* found = type.FindValueByNumber(value);
  if (found == nullptr) {
    return std::to_string(value);
  }
  return value == 0 ? "-" : config::short_name(*found);
}

}  // namespace nezu::cli
