// What services of FTP and RTSP have in common in path tests.
#pragma once

#include "tests/path/lab.h"

namespace nezu::lab {

inline constexpr const char* kVip = "203.0.113.10";
inline constexpr const char* kVip6 = "2001:db8::10";
inline constexpr const char* kClient = "198.18.0.7";
inline constexpr const char* kClient6 = "2001:db8:c::7";

/// A service on whose connections lines are read, with one server.
inline world::ServiceSpec read_service(tables::Application application, uint16_t port,
                                       uint16_t server_port, tables::Mode mode, bool client6,
                                       bool server6) {
  world::ServiceSpec spec;
  spec.vip = client6 ? kVip6 : kVip;
  spec.port = port;
  spec.mode = mode;
  spec.servers = {{server6 ? "fd00:1::5" : "10.0.1.5", server_port}};
  if (mode == tables::Mode::fullnat) spec.snats = {"10.0.0.1", "fd00::1"};
  spec.application = application;
  return spec;
}

}  // namespace nezu::lab
