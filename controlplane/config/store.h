// The desired configuration that outlives everything: the model, its journal, its history.
//
//   configuration.bin   one Snapshot (a compaction)
//   journal.bin         every Step since
//   configuration.lock  held while a control plane uses the folder
//
// A change is staged (checked, applied in memory, put in the journal's buffer), then `sync` makes
// all staged changes durable at once; `abort` takes back what could not be published. One thread
// at a time. Failures of the disk throw std::system_error, a folder that cannot be used throws
// std::runtime_error with a sentence.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "controlplane/config/compaction.h"
#include "controlplane/config/journal.h"
#include "controlplane/config/model.h"
#include "controlplane/config/yaml.h"

namespace nezu::config {

/// Who changes something, and why.
struct Origin {
  std::string author;
  std::string comment;
};

struct Staged {
  bool changed = false;   ///< false: there are problems, or nothing differs
  uint64_t revision = 0;  ///< in force, or staged
  Problems problems;      ///< all of them; then nothing was changed
  Problems warnings;
  v1::Diff diff;
  store::Edit edit;  ///< what was staged
};

/// Further checks of a normalised edit, which may still be invalid, by those who know more.
using Checker = std::function<void(const Model&, const store::Edit&, Problems&)>;
/// Likewise further warnings, of what differs from what is in force.
using Warner = std::function<void(const store::Edit&, Problems&)>;

class Store {
 public:
  /// Reads what is in `folder` (made if missing).
  explicit Store(const std::string& folder);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const Model& model() const { return model_; }
  uint64_t revision() const { return revision_; }
  /// What was found and repaired; sentences for people.
  const std::vector<std::string>& notes() const { return notes_; }
  uint64_t journal_bytes() const { return journal_->bytes(); }
  void set_checker(Checker checker) { checker_ = std::move(checker); }
  void set_warner(Warner warner) { warner_ = std::move(warner); }

  /// `edit` need not be normalised. `found` are problems that the caller knows already.
  Staged stage(store::Edit edit, const Origin& origin, Problems found = {});
  /// What undoes the revision in force.
  const store::Edit& last_undo() const { return past_.back()->undo(); }
  /// The same as `stage`, but nothing stays; `changed` says whether something would.
  Staged try_out(store::Edit edit, Problems found = {});

  /// Makes every staged change durable. When it throws, all of them have been taken back.
  void sync();
  /// Takes back the revisions from `first` on, durably; all that were staged since the last `sync`
  /// or all that it made durable.
  void abort(uint64_t first);
  /// When the journal has grown: begins to write the full file beside what goes on, or makes the
  /// journal begin behind one that was written. Call now and then while nothing is staged.
  void compact_if_due();
  void compact();

  /// Newest first.
  std::vector<v1::HistoryEntry> history(size_t limit) const;
  /// Nothing when it is not kept (any more).
  std::optional<v1::Configuration> configuration_at(uint64_t revision) const;
  std::optional<v1::HistoryEntry> entry_of(uint64_t revision) const;
  uint64_t oldest_kept() const { return revision_ - past_.size(); }

 private:
  /// Normalises, applies and checks; leaves in `edit` what really differs, and in `undo` the way
  /// back.
  Staged examine(store::Edit& edit, store::Edit& undo, Problems found);
  void load_snapshot(const std::string& path);
  void replay();
  void accept(v1::HistoryEntry entry, store::Edit undo);
  void take_back(uint64_t first);
  void begin_compaction();
  void end_compaction();

  std::string folder_;
  int lock_ = -1;
  Model model_;
  uint64_t revision_ = 0;
  uint64_t synced_revision_ = 0;
  uint64_t sequence_ = 0;
  uint64_t snapshot_bytes_ = 0;
  std::deque<std::shared_ptr<const store::Past>> past_;  ///< the last one is of `revision_`
  std::unique_ptr<Journal> journal_;
  std::optional<Compaction> compaction_;
  std::vector<std::string> notes_;
  Checker checker_;
  Warner warner_;
};

inline constexpr size_t kKeptRevisions = 100;

}  // namespace nezu::config
