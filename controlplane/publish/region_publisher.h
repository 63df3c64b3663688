// The Publisher on the shared region: gives slots, writes what differs, reads what workers count.
//
// publish() and tidy() from one thread; everything else from any. Readings copy under a lock that a
// publication holds only while it frees blocks or changes the books, never while it writes blocks:
// what a reading looks at stays until it has let go. A reading of all lets go every few entries, so
// that a publication waits for none.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "controlplane/compile/compile.h"
#include "controlplane/publish/books.h"
#include "controlplane/publish/explain.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/publish/requests.h"

namespace nezu::publish {

class Publication;

class RegionPublisher final : public Publisher {
 public:
  /// Throws std::runtime_error with a sentence.
  RegionPublisher(std::unique_ptr<tables::Region> region, std::string directory, bool created);
  ~RegionPublisher() override;

  Result publish(const config::Model& model, const compile::Touched& touched,
                 const Conditions& conditions, uint64_t revision) override;
  std::vector<Adopted> adopted() const override { return adopted_; }
  compile::Shares adopted_shares() const override { return adopted_shares_; }
  std::vector<std::string> notes() const override { return notes_; }
  Reading read() const override;
  Reading read_vitals() const override;
  std::vector<ServerReading> read(const std::set<tables::ServerIdentity>& servers) const override;
  std::vector<RegionReading> regions() const override;
  DataPlaneReading data_plane() const override;
  using Publisher::ask;
  FlowAnswer ask(tables::RequestKind kind, const tables::FlowFilter& filter, uint32_t limit,
                 std::chrono::milliseconds timeout, const Found& found) override;
  CaptureBegin capture(const tables::CaptureOrder& order) override;
  ExplainAnswer explain(uint16_t port, std::span<const uint8_t> frame,
                        std::chrono::milliseconds timeout) override;
  std::vector<tables::Event> take_events() override;
  Result tidy() override;

 private:
  void adopt_servers();
  void adopt_shares();
  compile::Image compile_touched(const config::Model& model, const compile::Touched& touched,
                                 const Conditions& conditions) const;
  Publication begin();
  Result finish(Publication& publication, uint64_t revision);
  template <typename Key, typename Id, typename Look>
  void look_at(const std::map<Key, Id>& book, Look look) const;
  ServerReading reading_of(const tables::Server& server) const;
  RegionReading read_ours() const;

  std::unique_ptr<tables::Region> region_;
  std::string directory_;
  std::unique_ptr<tables::Writer> writer_;
  mutable std::shared_mutex books_lock_;
  Books books_;
  std::vector<Adopted> adopted_;
  compile::Shares adopted_shares_;
  std::vector<std::string> notes_;
  net::Instant tidied_;
  Requests requests_;
  Explain explain_;
  std::atomic<bool> is_capturing_{false};
};

}  // namespace nezu::publish
