// snat: SNAT sets, one at a time.
#include "tools/nezu/commands.h"
#include "tools/nezu/resource.h"

namespace nezu::cli {
namespace {

struct SnatKind {
  using Object = v1::SnatSet;
  using CreateRequest = v1::CreateSnatSetRequest;
  using GetRequest = v1::GetSnatSetRequest;
  using ListRequest = v1::ListSnatSetsRequest;
  using ListResponse = v1::ListSnatSetsResponse;
  using UpdateRequest = v1::UpdateSnatSetRequest;
  using DeleteRequest = v1::DeleteSnatSetRequest;
  static constexpr char kExample[] = "addresses=192.0.2.1,192.0.2.16/28";

  template <typename Request>
  static Object& object(Request& request) {
    return *request.mutable_snat_set();
  }
  static const auto& objects(const ListResponse& response) { return response.snat_sets(); }
  static std::vector<std::string> titles() { return {"snat set", "addresses"}; }
  static std::vector<std::string> row(const Object& object);
};

std::vector<std::string> SnatKind::row(const Object& object) {
  std::string addresses;
  for (const std::string& address : object.addresses()) {
    addresses += (addresses.empty() ? "" : ", ") + address;
  }
  return {object.name(), addresses};
}

}  // namespace

void add_snat(CLI::App& app, Session& session) {
  add_resource<SnatKind>(app, session, "snat", "SNAT sets, one at a time");
}

}  // namespace nezu::cli
