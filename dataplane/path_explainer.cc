#include "dataplane/path_explainer.h"

#include <algorithm>

#include "dataplane/path_explain.h"
#include "dataplane/tables/view.h"

namespace nezu::path {

Explainer::Explainer(std::vector<Setup> workers, std::vector<Desk*> desks) {
  for (size_t i = 0; i < workers.size(); ++i) {
    workers_.push_back({std::move(workers[i]), desks[i], {}, 0});
  }
}

void Explainer::begin(const tables::ExplainOrder& order, uint16_t receiver) {
  order_ = order;
  receiver_ = receiver;
  told_ = {};
  is_busy_ = true;
  for (Witness& worker : workers_) {
    worker.heard.clear();
    worker.awaits = 0;
  }
}

bool Explainer::turn(const tables::View& view, const route::Routes& routes, net::Instant now) {
  if (!is_busy_) return false;
  if (!listen()) {
    return now.nanoseconds > order_.until && end(tables::ExplainFault::worker_silent);
  }
  told_ = {};
  told_.generation = view.generation();
  return walk(view, routes, now) && end(tables::ExplainFault::none);
}

bool Explainer::end(tables::ExplainFault fault) {
  told_.fault = fault;
  is_busy_ = false;
  return true;
}

/// From the worker that receives it on. False: somebody has been asked.
bool Explainer::walk(const tables::View& view, const route::Routes& routes, net::Instant now) {
  Passage passage;
  uint16_t at = receiver_;
  for (uint32_t passes = 0; passes < tables::kMostExplainedPasses; ++passes) {
    Witness& worker = workers_[at];
    ExplainedFrame frame({order_.frame.data(), order_.length});
    Trial trial(worker.setup, worker.heard, view, routes, now);
    trial.run(frame, order_.port, passage, told_);
    if (const Question* question = trial.question()) {
      if (ask(worker, *question)) return false;
    }
    const tables::ExplainedPass& pass = told_.passes[told_.pass_count - 1];
    if (pass.verdict != net::Verdict::hand_over || pass.owner >= workers_.size()) break;
    at = pass.owner;
  }
  return true;
}

/// False: it has said so already, or has been asked enough.
bool Explainer::ask(Witness& worker, const Question& question) {
  const bool known =
      std::any_of(worker.heard.begin(), worker.heard.end(),
                  [&](const Knowledge& heard) { return heard.question.is_like(question); });
  if (known || worker.heard.size() >= kMostQuestions) return false;
  Question next = question;
  next.number = ++number_;
  worker.awaits = next.number;
  // Where it is full the worker stands still, and its silence will be told.
  if (worker.desk->questions.push(next)) worker.desk->questions.publish();
  return true;
}

/// What the workers have said. False: one has not yet.
bool Explainer::listen() {
  bool is_complete = true;
  for (Witness& worker : workers_) {
    Knowledge knowledge;
    while (worker.desk->answers.pop(knowledge)) {
      if (worker.awaits == 0 || knowledge.question.number != worker.awaits) continue;
      worker.heard.push_back(knowledge);
      worker.awaits = 0;
    }
    if (worker.awaits == 0) continue;
    is_complete = false;
    told_.silent = worker.setup.worker;
  }
  return is_complete;
}

}  // namespace nezu::path
