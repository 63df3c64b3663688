#include "tools/nezu/client.h"

#include <google/protobuf/descriptor.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/sync_stream.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "nezu/v1/capture.pb.h"
#include "nezu/v1/change.pb.h"
#include "nezu/v1/explain.pb.h"
#include "nezu/v1/flows.pb.h"
#include "nezu/v1/state.pb.h"
#include "nezu/v1/system.pb.h"

namespace nezu::cli {
namespace {

using google::protobuf::MessageLite;

constexpr char kUnix[] = "unix:";
constexpr char kIsItRunning[] =
    "is the control plane running? (systemctl status nezu-controlplane; another socket is named by "
    "--server or NEZU_SERVER)";

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    throw Failure(Exit::usage, "cannot read " + path + ": " + std::strerror(errno));
  }
  return text.str();
}

/// Tries the socket itself: errno says more than gRPC's "failed to connect to all addresses".
void check_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw Failure(Exit::usage, "the socket's path is too long: " + path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  ::close(fd);
  if (connected) {
    return;
  }
  switch (error) {
    case ENOENT:
      throw Failure(Exit::unreachable, "there is no socket " + path + ": " + kIsItRunning);
    case ECONNREFUSED:
      throw Failure(Exit::unreachable, "nobody listens on " + path + ": " + kIsItRunning);
    case EACCES:
    case EPERM:
      throw Failure(Exit::unreachable, "no permission to use " + path +
                                           ": run as root or as a member of the socket's group "
                                           "(ls -l " +
                                           path + ")");
    default:
      throw Failure(Exit::unreachable, "cannot connect to " + path + ": " + std::strerror(error));
  }
}

std::shared_ptr<grpc::ChannelCredentials> credentials_of(const Target& target) {
  if (target.server.starts_with(kUnix)) {
    return grpc::InsecureChannelCredentials();
  }
  if (target.tls_ca.empty() || target.tls_certificate.empty() || target.tls_key.empty()) {
    throw Failure(Exit::usage, "over TCP (" + target.server +
                                   ") the control plane speaks mutual TLS only: give --tls-ca, "
                                   "--tls-cert and --tls-key");
  }
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = file_text(target.tls_ca);
  options.pem_cert_chain = file_text(target.tls_certificate);
  options.pem_private_key = file_text(target.tls_key);
  return grpc::SslCredentials(options);
}

std::vector<std::string> violations_of(const grpc::Status& status) {
  std::vector<std::string> lines;
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) {
    return lines;
  }
  for (const auto& any : details.details()) {
    google::rpc::BadRequest bad;
    if (any.UnpackTo(&bad)) {
      for (const auto& violation : bad.field_violations()) {
        lines.push_back(violation.field() + ": " + violation.description());
      }
    }
  }
  return lines;
}

/// The transport's own words, as opposed to a control plane that says why it is unavailable.
bool is_transport(const std::string& text) {
  for (const char* words : {"onnect", "ocket", "GOAWAY", "ransport", "andshake", "addresses"}) {
    if (text.find(words) != std::string::npos) {
      return true;
    }
  }
  return text.empty();
}

/// With a list of all problems below, the head need not tell the first of them.
Failure refusal_of(const grpc::Status& status) {
  std::vector<std::string> details = violations_of(status);
  const std::string& text = status.error_message();
  if (details.size() < 2) {
    return {Exit::refused, text};
  }
  return {Exit::refused, text.substr(0, text.find(" The first: ")), std::move(details)};
}

Failure failure_of(const grpc::Status& status, const Target& target) {
  const std::string& text = status.error_message();
  switch (static_cast<int>(status.error_code())) {
    case grpc::StatusCode::UNAVAILABLE:
      if (!is_transport(text)) {
        return {Exit::unreachable, text};  // the control plane's own words, as on a data plane
      }
      return {Exit::unreachable, "no answer from " + target.server + ": " + kIsItRunning, {text}};
    case grpc::StatusCode::NOT_FOUND:
      return {Exit::not_found, text};
    case grpc::StatusCode::ABORTED:
      return {Exit::conflict, text};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      if (text.ends_with('.')) {
        return {Exit::incomplete, text};  // the control plane's own sentence; gRPC writes none
      }
      return {Exit::incomplete, "no answer from " + target.server +
                                    " in time; --timeout allows more, nezu system may tell why"};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {Exit::internal, "the control plane at " + target.server +
                                  " does not know this request: it is older than this program"};
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return refusal_of(status);
    default:
      return {Exit::internal, "the control plane failed: " + text};
  }
}

}  // namespace

struct Client::Connection {
  std::shared_ptr<grpc::Channel> channel;

  static void limit(grpc::ClientContext& context, Timeout timeout) {
    if (timeout.count() > 0) {
      context.set_deadline(std::chrono::system_clock::now() + timeout);
    }
  }
};

std::string method_of(const google::protobuf::Descriptor& request) {
  const google::protobuf::FileDescriptor* files[] = {
      v1::ApplyRequest::descriptor()->file(),     v1::WatchRequest::descriptor()->file(),
      v1::ListFlowsRequest::descriptor()->file(), v1::CaptureRequest::descriptor()->file(),
      v1::ExplainRequest::descriptor()->file(),   v1::GetSystemRequest::descriptor()->file()};
  for (const auto* file : files) {
    for (int i = 0; i < file->service_count(); ++i) {
      const auto* service = file->service(i);
      for (int j = 0; j < service->method_count(); ++j) {
        if (service->method(j)->input_type() == &request) {
          return "/" + service->full_name() + "/" + service->method(j)->name();
        }
      }
    }
  }
  throw Failure(Exit::internal, "no RPC takes a " + request.full_name());
}

Client::Client(const Target& target, Timeout timeout)
    : target_(target), timeout_(timeout), connection_(std::make_unique<Connection>()) {
  if (target.server.starts_with(kUnix)) {
    check_socket(target.server.substr(sizeof kUnix - 1));
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // a whole configuration may be large
  if (!target.tls_name.empty()) {
    arguments.SetSslTargetNameOverride(target.tls_name);
  }
  connection_->channel =
      grpc::CreateCustomChannel(target.server, credentials_of(target), arguments);
}

Client::~Client() = default;

void Client::call(const Message& request, Message& response) {
  const std::string name = method_of(*request.GetDescriptor());
  const grpc::internal::RpcMethod method(name.c_str(), grpc::internal::RpcMethod::NORMAL_RPC,
                                         connection_->channel);
  grpc::ClientContext context;
  Connection::limit(context, timeout_);
  const grpc::Status status =
      grpc::internal::BlockingUnaryCall<MessageLite, MessageLite, MessageLite, MessageLite>(
          connection_->channel.get(), method, &context, request, &response);
  if (!status.ok()) {
    throw failure_of(status, target_);
  }
}

void Client::stream(const Message& request, Message& response,
                    const std::function<bool()>& received, Timeout timeout) {
  const std::string name = method_of(*request.GetDescriptor());
  const grpc::internal::RpcMethod method(name.c_str(), grpc::internal::RpcMethod::SERVER_STREAMING,
                                         connection_->channel);
  grpc::ClientContext context;
  Connection::limit(context, timeout);
  const std::unique_ptr<grpc::ClientReader<MessageLite>> reader(
      grpc::internal::ClientReaderFactory<MessageLite>::Create<MessageLite>(
          connection_->channel.get(), method, &context, request));
  bool wants_more = true;
  while (wants_more && reader->Read(&response)) {
    wants_more = received();
  }
  if (!wants_more) {
    context.TryCancel();
    for (std::unique_ptr<Message> rest(response.New()); reader->Read(rest.get());) {
    }
  }
  const grpc::Status status = reader->Finish();
  if (wants_more && !status.ok()) {
    throw failure_of(status, target_);
  }
}

void Client::upload(const std::vector<const Message*>& parts, Message& response) {
  const std::string name = method_of(*parts.at(0)->GetDescriptor());
  const grpc::internal::RpcMethod method(name.c_str(), grpc::internal::RpcMethod::CLIENT_STREAMING,
                                         connection_->channel);
  grpc::ClientContext context;
  Connection::limit(context, timeout_);
  const std::unique_ptr<grpc::ClientWriter<MessageLite>> writer(
      grpc::internal::ClientWriterFactory<MessageLite>::Create<MessageLite>(
          connection_->channel.get(), method, &context, &response));
  for (const Message* part : parts) {
    if (!writer->Write(*part)) {
      break;  // Finish tells why
    }
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) {
    throw failure_of(status, target_);
  }
}

}  // namespace nezu::cli
