// source-nat: source NAT rules, one at a time.
#include "tools/nezu/commands.h"
#include "tools/nezu/resource.h"

namespace nezu::cli {
namespace {

struct SourceNatKind {
  using Object = v1::SourceNat;
  using CreateRequest = v1::CreateSourceNatRequest;
  using GetRequest = v1::GetSourceNatRequest;
  using ListRequest = v1::ListSourceNatsRequest;
  using ListResponse = v1::ListSourceNatsResponse;
  using UpdateRequest = v1::UpdateSourceNatRequest;
  using DeleteRequest = v1::DeleteSourceNatRequest;
  static constexpr char kExample[] = "networks=10.0.1.0/24 snat_set=out";

  template <typename Request>
  static Object& object(Request& request) {
    return *request.mutable_source_nat();
  }
  static const auto& objects(const ListResponse& response) { return response.source_nats(); }
  static std::vector<std::string> titles() {
    return {"source nat", ">order",   "inside", "interfaces", "outside",
            "except",     "snat set", "reads",  "enabled"};
  }
  static std::vector<std::string> row(const Object& object);
};

using Texts = google::protobuf::RepeatedPtrField<std::string>;

std::string joined(const Texts& list, std::string text = {}, const char* before = "") {
  for (const std::string& one : list) {
    text += (text.empty() ? "" : ", ") + (before + one);
  }
  return text;
}

std::vector<std::string> SourceNatKind::row(const Object& object) {
  const auto or_any = [](std::string text) { return text.empty() ? "any" : text; };
  return {object.name(),
          std::to_string(object.order()),
          or_any(joined(object.pools(), joined(object.networks()), "pool ")),
          or_any(joined(object.interfaces())),
          or_any(joined(object.outside_interfaces())),
          object.except().empty() ? "-" : joined(object.except()),
          object.snat_set(),
          object.application() == v1::APPLICATION_FTP ? "ftp" : "-",
          !object.has_enabled() || object.enabled() ? "yes" : "no"};
}

}  // namespace

void add_source_nat(CLI::App& app, Session& session) {
  add_resource<SourceNatKind>(app, session, "source-nat", "Source NAT rules, one at a time");
}

}  // namespace nezu::cli
