// Within explanations: one packet at one worker, through the stages that every packet goes through,
// on a path of its own.
//
// Of the running worker the path has what it may read (tables, routes, all counters) and copies of
// what this packet concerns: its flow, its client's persistence and meters, where turns stand. So
// nothing that the packet does is counted or kept. One thread, any; as long as `view` and `routes`
// last.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/path_question.h"
#include "dataplane/path_turn.h"
#include "dataplane/tables/explain.h"

namespace nezu::path {

/// A frame with the room around it that device/ leaves, for headers and replies.
class ExplainedFrame {
 public:
  explicit ExplainedFrame(std::span<const uint8_t> bytes);
  /// As it came in, by `port`.
  void arrive(net::Packet& packet, uint16_t port);

 private:
  static constexpr uint32_t kHeadroom = 256, kTailroom = 2048;
  std::vector<uint8_t> bytes_;
  uint32_t length_;
};

/// On its way from one worker to the next.
struct Passage {
  bool is_handed_over = false, knows_ports = false;
  uint32_t ports = 0;
};

class Trial {
 public:
  /// `worker`: as it runs. `heard`: what it has said of itself, the latest last.
  Trial(const Setup& worker, std::span<const Knowledge> heard, const tables::View& view,
        const route::Routes& routes, net::Instant now);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  /// Adds a pass to `out` and tells there what was found. `passage`: how it came, then how it goes
  /// on. Once for each Trial.
  void run(ExplainedFrame& frame, uint16_t port, Passage& passage, tables::Explanation& out);
  /// What the worker should have been asked for this; null: nothing.
  const Question* question() const { return asks_ ? &question_ : nullptr; }

 private:
  class Private;
  void adopt_flow(const Knowledge& known);
  void go(net::Burst& burst, bool is_piece, tables::Explanation& out);
  void after(int stage, Turn& turn, tables::ExplainedPass& pass, tables::Explanation& out);
  void look_for_lanes();
  void look_for_train(const net::Packet& packet);
  template <typename F>
  void look(Turn& turn, const net::Packet& packet, tables::Explanation& out);
  template <typename F>
  const tables::Service* look_around(Turn& turn, const net::Packet& packet,
                                     const typename F::Tuple& tuple, tables::Explanation& out);
  void lend(Turn& turn, const tables::Service& service, const net::Address& client);
  // path_explain_told.cc:
  void tell_packet(const net::Packet& packet, tables::Explanation& out) const;
  void tell_way(const route::NextHop& hop, tables::Explanation& out) const;
  void tell_flow(const net::Packet& packet, tables::Explanation& out);
  void ask_for_source(flow::FlowId id, tables::Explanation& out);
  bool was_asked() const;
  void tell_end(const net::Packet& packet, tables::Explanation& out) const;

  const Setup& live_;
  std::span<const Knowledge> heard_;
  const tables::View& view_;
  const route::Routes& routes_;
  net::Instant now_;
  std::unique_ptr<Private> private_;
  std::unique_ptr<Path> path_;
  bool was_told_ = false;  ///< somebody announced it, and other boards may say as which port
  bool asks_ = false;      ///< a flow was looked for: `question_`
  Question question_;
};

/// path_pick.cc: copies into the persistence of `turn` what `live` knows of all that a choice of a
/// server for this packet asks about. The server that it has for the client; none: kNobody.
uint16_t lend_clients(Turn& turn, const steer::Persistence& live, const tables::Service& service,
                      net::Instance instance, const net::Address& source,
                      const net::Address& destination);

}  // namespace nezu::path
