// What every Watch stream sees: the last state of each subject, in the order of its last change.
//
// The hub keeps one message for each subject (a server, a port, an alarm), with a number that
// counts up. A stream is only a position in that order, so a slow client costs no memory: it finds
// the newest state of each subject when it comes round. Streams are gRPC callback reactors and pin
// no thread. Any thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "nezu/v1/state.pb.h"

namespace nezu::api {

class WatchStream;

class WatchHub {
 public:
  explicit WatchHub(size_t most_streams = 1000) : most_streams_(most_streams) {}

  /// A new state of a subject. One that is `over` is told to the streams there are, then forgotten.
  void put(v1::Topic topic, const std::string& subject, v1::WatchResponse state,
           bool is_over = false);
  /// The state as it was put, if there is one.
  std::optional<v1::WatchResponse> last(const std::string& subject) const;

  /// The reactor of a new stream; it deletes itself when the stream is done.
  grpc::ServerWriteReactor<v1::WatchResponse>* open(const v1::WatchRequest& request);
  size_t streams() const;

 private:
  friend class WatchStream;
  struct Entry {
    v1::Topic topic;
    std::string subject;
    bool is_over;
    v1::WatchResponse state;
  };
  void forget_old();

  const size_t most_streams_;
  mutable std::mutex mutex_;
  uint64_t newest_ = 0;
  std::map<uint64_t, Entry> entries_;                   ///< by number
  std::unordered_map<std::string, uint64_t> subjects_;  ///< number of each subject's entry
  std::set<uint64_t> over_;                             ///< numbers of entries that are over
  std::set<WatchStream*> streams_;
};

}  // namespace nezu::api
