// Explains a packet to its end: from the worker that would receive it to the one that decides, on
// copies (path_explain.h), asking the workers what only they may look at.
//
// The housekeeper's, a short step a turn; nothing waits. Begin at the first worker, go on where the
// packet is handed over; whenever a worker should have been asked something, it is asked, and the
// packet begins again with what was heard, until nothing is open. What it says is of one instant
// for each worker, and of one generation of the tables.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/path.h"
#include "dataplane/tables/explain.h"

namespace nezu::path {

class Explainer {
 public:
  /// `workers`: as they run, by number; `desks`: theirs.
  Explainer(std::vector<Setup> workers, std::vector<Desk*> desks);

  /// In place of whatever went on. `order` is sound; `receiver`: the worker that the frame comes
  /// to.
  void begin(const tables::ExplainOrder& order, uint16_t receiver = 0);
  bool is_busy() const { return is_busy_; }
  /// True: it has come to an end, and `told` has all of it.
  bool turn(const tables::View& view, const route::Routes& routes, net::Instant now);
  const tables::Explanation& told() const { return told_; }

 private:
  /// A worker is asked no more than that about one packet: each port that it would try, each lane
  /// of a client.
  static constexpr size_t kMostQuestions = 40;
  struct Witness {
    Setup setup;
    Desk* desk;
    std::vector<Knowledge> heard;
    uint64_t awaits = 0;  ///< number of the question; 0: none
  };
  bool walk(const tables::View& view, const route::Routes& routes, net::Instant now);
  bool ask(Witness& worker, const Question& question);
  bool listen();
  bool end(tables::ExplainFault fault);

  std::vector<Witness> workers_;
  tables::ExplainOrder order_;
  uint16_t receiver_ = 0;
  tables::Explanation told_;
  uint64_t number_ = 0;  ///< of the last question
  bool is_busy_ = false;
};

}  // namespace nezu::path
