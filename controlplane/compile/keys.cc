// By what objects of the configuration are found in the region.
#include "controlplane/compile/compile.h"
#include "controlplane/config/names.h"
#include "dataplane/net/range.h"

namespace nezu::compile {

tables::ServerIdentity identity_of(const v1::RealServer& server, const v1::Pool& pool) {
  tables::ServerIdentity identity;
  identity.address = net::parse_address(server.address()).value_or(net::Address{});
  identity.instance = static_cast<net::Instance>(server.instance());
  identity.port = static_cast<uint16_t>(server.port());
  identity.protocol = config::to_net(
      server.protocol() != v1::PROTOCOL_UNSPECIFIED ? server.protocol() : pool.protocol());
  return identity;
}

AddressKey vip_of(const v1::VirtualService& service) {
  const net::Prefix vip = config::vip_of(service);
  const auto host_bits =
      static_cast<uint8_t>((vip.address.is_v4() ? 32 : 128) - uint32_t{vip.length});
  return {static_cast<net::Instance>(service.instance()), net::masked(vip.address, host_bits),
          host_bits};
}

std::string text_of(const AddressKey& key) {
  const auto length =
      static_cast<uint8_t>((key.address.is_v4() ? 32 : 128) - uint32_t{key.host_bits});
  return key.host_bits == 0 ? net::to_string(key.address)
                            : net::to_string(net::Prefix{key.address, length});
}

}  // namespace nezu::compile
