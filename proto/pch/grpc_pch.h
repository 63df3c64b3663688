// Precompiled for everything that speaks gRPC: these headers cost most of its compile time.
#ifndef NEZU_PROTO_PCH_GRPC_PCH_H_
#define NEZU_PROTO_PCH_GRPC_PCH_H_

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#endif  // NEZU_PROTO_PCH_GRPC_PCH_H_
