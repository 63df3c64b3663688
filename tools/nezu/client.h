// The connection to the control plane: any RPC of nezu.v1 by its request message.
//
// Every RPC has a request type of its own, so the message says which one is meant. Errors come as
// Failure with the sentence to print. One thread at a time.
#pragma once

#include <google/protobuf/message.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/nezu/failure.h"

namespace nezu::cli {

inline constexpr char kDefaultServer[] = "unix:/run/nezu/api.sock";

/// Where the control plane is and how to get there.
struct Target {
  std::string server = kDefaultServer;           ///< or "host:port"
  std::string tls_ca, tls_certificate, tls_key;  ///< files; TCP needs all three
  std::string tls_name;  ///< name in the server's certificate when it is not the host's
};

class Client {
 public:
  using Message = google::protobuf::Message;
  using Timeout = std::chrono::milliseconds;

  /// Throws Failure(unreachable) at once when a Unix socket cannot be used, saying why.
  Client(const Target& target, Timeout timeout);
  ~Client();

  template <typename Response>
  Response call(const Message& request) {
    Response response;
    call(request, response);
    return response;
  }
  void call(const Message& request, Message& response);

  /// Server streaming: `received` is called after each message put into `response`, until it
  /// answers false or the stream ends. No timeout when `timeout` is zero.
  void stream(const Message& request, Message& response, const std::function<bool()>& received,
              Timeout timeout);

  /// Client streaming.
  template <typename Request>
  void upload(const std::vector<Request>& parts, Message& response) {
    std::vector<const Message*> pointers;
    for (const Request& part : parts) {
      pointers.push_back(&part);
    }
    upload(pointers, response);
  }
  void upload(const std::vector<const Message*>& parts, Message& response);

  const Target& target() const { return target_; }

 private:
  struct Connection;
  const Target target_;
  const Timeout timeout_;
  std::unique_ptr<Connection> connection_;
};

/// "/nezu.v1.StateService/Watch" for a WatchRequest.
std::string method_of(const google::protobuf::Descriptor& request);

}  // namespace nezu::cli
