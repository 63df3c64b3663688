#include "controlplane/config/store.h"

#include <fcntl.h>
#include <google/protobuf/util/time_util.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "controlplane/config/diff.h"
#include "controlplane/config/normalise.h"
#include "controlplane/config/validate.h"

namespace nezu::config {
namespace {

constexpr uint64_t kCompactAbove = 4u << 20;

std::string snapshot_path(const std::string& folder) { return folder + "/configuration.bin"; }

void normalise_edit(store::Edit& edit) {
  for (v1::VirtualService& service : *edit.mutable_services()) {
    normalise(service);
  }
  for (v1::Pool& pool : *edit.mutable_pools()) {
    normalise(pool);
  }
  for (v1::SnatSet& set : *edit.mutable_snat_sets()) {
    normalise(set);
  }
  for (v1::SourceNat& rule : *edit.mutable_source_nats()) {
    normalise(rule);
  }
  for (v1::NetworkInstance& instance : *edit.mutable_instances()) {
    normalise(instance);
  }
  if (edit.has_settings()) {
    normalise(*edit.mutable_settings());
  }
}

store::Edit whole(const v1::Configuration& configuration) {
  store::Edit edit;
  *edit.mutable_services() = configuration.services();
  *edit.mutable_pools() = configuration.pools();
  *edit.mutable_snat_sets() = configuration.snat_sets();
  *edit.mutable_source_nats() = configuration.source_nats();
  *edit.mutable_instances() = configuration.instances();
  *edit.mutable_settings() = configuration.settings();
  return edit;
}

int lock_folder(const std::string& folder) {
  const std::string path = folder + "/configuration.lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    throw std::system_error(
        errno, std::generic_category(),
        "Cannot open " + path + "; the state folder must belong to the control plane's user");
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    throw std::runtime_error("The state folder " + folder +
                             " is in use by another control plane; stop that one first, or give "
                             "this one another --state-dir.");
  }
  return fd;
}

}  // namespace

Store::Store(const std::string& folder) : folder_(folder) {
  std::filesystem::create_directories(folder);
  lock_ = lock_folder(folder);
  try {
    load_snapshot(snapshot_path(folder));
    journal_ = std::make_unique<Journal>(folder + "/journal.bin");
    replay();
  } catch (...) {
    ::close(lock_);
    throw;
  }
  synced_revision_ = revision_;
}

Store::~Store() { ::close(lock_); }

void Store::load_snapshot(const std::string& path) {
  const std::string bytes = read_file(path);
  if (bytes.empty()) {
    return;
  }
  const Records records = read_records(bytes);
  store::Record record;
  if (records.payloads.size() != 1 || records.lost_bytes != 0 ||
      !record.ParseFromString(records.payloads[0]) || !record.has_snapshot()) {
    throw std::runtime_error(
        "The file " + path +
        " is damaged. Traffic goes on as it is; restore the file from a backup, or move the state "
        "folder away and apply the configuration again.");
  }
  const store::Snapshot& snapshot = record.snapshot();
  model_.apply(whole(snapshot.configuration()));
  for (const store::Past& past : snapshot.past()) {
    past_.push_back(std::make_shared<const store::Past>(past));
  }
  revision_ = snapshot.revision();
  sequence_ = record.sequence();
  snapshot_bytes_ = bytes.size();
}

void Store::replay() {
  const Records& found = journal_->found();
  if (found.lost_bytes > 0) {
    notes_.push_back("The journal ended in " + std::to_string(found.lost_bytes) +
                     " bytes that are no whole record, as after a crash; they were moved to " +
                     journal_->path() + ".damaged.");
  }
  for (const std::string& payload : found.payloads) {
    store::Record record;
    if (!record.ParseFromString(payload)) {
      notes_.push_back("The journal has a record that this version cannot read; it was skipped.");
      continue;
    }
    if (record.sequence() <= sequence_) {
      continue;  // the full file has it
    }
    if (record.has_step() && record.step().entry().revision() == revision_ + 1) {
      accept(record.step().entry(), model_.apply(record.step().edit()));
    } else if (record.has_abort()) {
      take_back(record.abort().revision());
    } else {
      notes_.push_back("The journal does not continue at revision " + std::to_string(revision_) +
                       "; its rest was not used.");
      break;
    }
    sequence_ = record.sequence();
  }
  journal_->forget_found();
}

void Store::accept(v1::HistoryEntry entry, store::Edit undo) {
  auto past = std::make_shared<store::Past>();
  revision_ = entry.revision();
  *past->mutable_entry() = std::move(entry);
  *past->mutable_undo() = std::move(undo);
  past_.push_back(std::move(past));
  if (past_.size() > kKeptRevisions) {
    past_.pop_front();
  }
}

void Store::take_back(uint64_t first) {
  while (revision_ >= first && !past_.empty()) {
    model_.apply(past_.back()->undo());
    past_.pop_back();
    --revision_;
  }
}

Staged Store::examine(store::Edit& edit, store::Edit& undo, Problems found) {
  Staged staged;
  staged.revision = revision_;
  staged.problems = std::move(found);
  normalise_edit(edit);
  const Problems within = problems_within(edit);
  staged.problems.insert(staged.problems.end(), within.begin(), within.end());
  if (checker_) {
    checker_(model_, edit, staged.problems);
  }
  edit = without_repeats(model_, std::move(edit));
  undo = model_.apply(edit);
  const Problems between = problems_between(model_, edit);
  staged.problems.insert(staged.problems.end(), between.begin(), between.end());
  staged.diff = describe(edit, undo);
  staged.warnings = warnings_of(model_, edit);
  if (warner_) {
    warner_(edit, staged.warnings);
  }
  staged.changed = staged.problems.empty() && !is_empty(undo);
  return staged;
}

Staged Store::try_out(store::Edit edit, Problems found) {
  store::Edit undo;
  Staged staged = examine(edit, undo, std::move(found));
  model_.apply(undo);
  return staged;
}

Staged Store::stage(store::Edit edit, const Origin& origin, Problems found) {
  store::Edit undo;
  Staged staged = examine(edit, undo, std::move(found));
  if (!staged.changed) {
    model_.apply(undo);
    return staged;
  }
  store::Record record;
  record.set_sequence(++sequence_);
  v1::HistoryEntry& entry = *record.mutable_step()->mutable_entry();
  entry.set_revision(revision_ + 1);
  *entry.mutable_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
  entry.set_author(origin.author);
  entry.set_comment(origin.comment.substr(0, 255));
  entry.set_added(staged.diff.added());
  entry.set_removed(staged.diff.removed());
  entry.set_changed(staged.diff.changed());
  *record.mutable_step()->mutable_edit() = std::move(edit);
  journal_->append(record.SerializeAsString());
  accept(entry, std::move(undo));
  staged.revision = revision_;
  staged.edit = std::move(*record.mutable_step()->mutable_edit());
  return staged;
}

void Store::sync() {
  try {
    journal_->sync();
  } catch (const std::system_error&) {
    take_back(synced_revision_ + 1);
    throw;
  }
  synced_revision_ = revision_;
}

void Store::abort(uint64_t first) {
  take_back(first);
  if (synced_revision_ < first) {
    journal_->drop_unsynced();
    return;
  }
  synced_revision_ = revision_;
  store::Record record;
  record.set_sequence(++sequence_);
  record.mutable_abort()->set_revision(first);
  journal_->append(record.SerializeAsString());
  journal_->sync();
}

void Store::compact_if_due() {
  if (compaction_ && compaction_->is_done()) {
    end_compaction();
  } else if (!compaction_ && journal_->bytes() > std::max(kCompactAbove, snapshot_bytes_)) {
    begin_compaction();
  }
}

void Store::compact() {
  if (compaction_) {
    end_compaction();
  }
  begin_compaction();
  end_compaction();
}

void Store::begin_compaction() {
  compaction_.emplace(
      snapshot_path(folder_),
      Revision{sequence_, revision_, model_.snapshot(), {past_.begin(), past_.end()}},
      journal_->bytes());
}

/// The records that the full file holds go; a crash before that finds them and skips them.
void Store::end_compaction() {
  Compaction done = std::move(*compaction_);
  compaction_.reset();
  snapshot_bytes_ =
      std::max(snapshot_bytes_, journal_->bytes());  // when it fails: not at once again
  snapshot_bytes_ = done.finish();
  journal_->forget_before(done.journal_bytes());
}

std::vector<v1::HistoryEntry> Store::history(size_t limit) const {
  std::vector<v1::HistoryEntry> entries;
  for (auto past = past_.rbegin(); past != past_.rend() && entries.size() < limit; ++past) {
    entries.push_back((*past)->entry());
  }
  return entries;
}

std::optional<v1::HistoryEntry> Store::entry_of(uint64_t revision) const {
  if (revision > revision_ || revision <= oldest_kept()) {
    return std::nullopt;
  }
  return past_[static_cast<size_t>(revision - oldest_kept() - 1)]->entry();
}

std::optional<v1::Configuration> Store::configuration_at(uint64_t revision) const {
  if (revision > revision_ || revision < oldest_kept()) {
    return std::nullopt;
  }
  if (revision == revision_) {
    return model_.ordered();
  }
  Model older;
  older.apply(whole(model_.ordered()));
  for (size_t i = past_.size(); i > revision - oldest_kept(); --i) {
    older.apply(past_[i - 1]->undo());
  }
  return older.ordered();
}

}  // namespace nezu::config
