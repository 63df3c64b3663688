// A client's FTP control connection to a service, and the data connections that it announces.
#pragma once

#include <string>
#include <string_view>

#include "tests/path/ftp_control.h"
#include "tests/path/read_service.h"

namespace nezu::lab {

inline world::ServiceSpec ftp(tables::Mode mode, bool client6 = false, bool server6 = false) {
  return read_service(tables::Application::ftp, 21, 21, mode, client6, server6);
}

/// One control connection, and the data connections that it announces.
class FtpSession : public FtpControl {
 public:
  FtpSession(Lab& lab, const world::ServiceSpec& spec, Wires wires = {}, uint32_t seed = 1,
             uint16_t port = 40000, uint16_t size = 1400)
      : FtpControl(lab, wires, seed,
                   {world::address(spec.vip == kVip ? kClient : kClient6), world::address(spec.vip),
                    port, spec.port},
                   size, false),
        client_(spec.vip == kVip ? kClient : kClient6),
        vip_(spec.vip) {}

  /// A connection of the client to that port of the VIP: where it leads; nothing: it does not work.
  std::string client_reaches(uint16_t port, uint16_t from = 50000) {
    Conversation data(lab_, client_, from, vip_, port);
    if (net::parse_address(client_)->is_v4() && data.open() && data.works()) {
      return net::to_string(data.server().destination, data.server().destination_port);
    }
    return {};
  }
  Fate syn(uint16_t port, uint16_t worker = 0, uint16_t from = 50000) {
    if (net::parse_address(client_)->is_v4()) {
      return lab_.send(dsl::eth() / dsl::ipv4(client_, vip_) / dsl::tcp(from, port).syn().seq(1),
                       worker);
    }
    return lab_.send(dsl::eth() / dsl::ipv6(client_, vip_) / dsl::tcp(from, port).syn().seq(1),
                     worker);
  }
  /// A connection of the server from `from` to what it was told: where it leads, and as from where.
  std::string server_reaches(std::string_view address, uint16_t port, uint16_t from = 20,
                             uint16_t worker = 0) {
    const std::string server = net::to_string(talk_.at_server().destination);
    const bool v4 = net::parse_address(server)->is_v4();
    const auto packet = [&](const dsl::Tcp& tcp) {
      return v4 ? dsl::Frame(dsl::eth() / dsl::ipv4(server, address) / tcp)
                : dsl::Frame(dsl::eth() / dsl::ipv6(server, address) / tcp);
    };
    const Fate there = lab_.send(packet(dsl::tcp(from, port).syn().seq(900)), worker, 1);
    // The client's answer comes to the server as from the address that it called.
    return answered(there, {world::address(server), world::address(address), from, port}, worker,
                    0);
  }

 private:
  std::string client_, vip_;
};

/// "EPRT |2|fd00::1|1024|\r\n" -> 1024.
inline uint16_t extended_port_in(const std::string& line) {
  const size_t end = line.rfind('|'), begin = line.rfind('|', end - 1);
  return static_cast<uint16_t>(std::stoi(line.substr(begin + 1)));
}

}  // namespace nezu::lab
