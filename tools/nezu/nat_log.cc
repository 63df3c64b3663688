// nat-log: who had an SNAT address and port, from the data plane's files (deploy/README.md has
// their form). Reads files alone; no control plane is asked.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tools/nezu/commands.h"
#include "tools/nezu/table.h"

namespace nezu::cli {
namespace {

/// One flow's time; an empty end is one that the files do not tell.
struct Use {
  std::string since, until, protocol, inside, snat, outside;
};

struct Wanted {
  std::string snat, inside, outside, at;

  static bool fits(const std::string& wanted, const std::string& is) {
    if (wanted.empty() || wanted == is) {
      return true;
    }
    const AddressPort both = parse_address_port(is), part = parse_address_port(wanted);
    return part.port == 0 && part.address == both.address;
  }
  bool has(const Use& use) const {
    const bool began = at.empty() || use.since.empty() || use.since.substr(0, at.size()) <= at;
    const bool lasted = at.empty() || use.until.empty() || use.until >= at;
    return began && lasted && fits(snat, use.snat) && fits(inside, use.inside) &&
           fits(outside, use.outside);
  }
};

/// Puts beginnings and ends together, line by line.
class Reading {
 public:
  explicit Reading(const Wanted& wanted) : wanted_(wanted) {}

  /// False: the line is none of a NAT log.
  bool add(const std::string& text) {
    std::istringstream words(text);
    std::string time, kind;
    if (!(words >> time >> kind)) {
      return false;
    }
    if (kind == "lost") {
      return (words >> last_lost_) && (lost_ += last_lost_, true);
    }
    if (kind == "start") {
      // Whatever the new data plane does not say that it has kept was over by now.
      forgotten_.merge(open_);
      open_.clear();
      start_ = time;
      return true;
    }
    Use use;
    use.since = time;
    if (!(words >> use.protocol >> use.inside >> use.snat >> use.outside)) {
      return false;
    }
    const std::string key = use.protocol + " " + use.snat + " " + use.outside;
    if (kind == "kept") {
      keep(key, std::move(use));
    } else if (kind == "open") {
      open_[key] = std::move(use);
    } else if (kind == "close") {
      close(key, std::move(use));
    } else {
      return false;
    }
    return true;
  }
  void finish() {
    end_forgotten();
    for (auto& [key, use] : open_) {
      found(std::move(use));
    }
    std::stable_sort(uses_.begin(), uses_.end(),
                     [](const Use& a, const Use& b) { return a.since < b.since; });
  }
  const std::vector<Use>& uses() const { return uses_; }
  uint64_t lost() const { return lost_; }

 private:
  void keep(const std::string& key, Use use) {
    const auto before = forgotten_.find(key);
    use.since = before != forgotten_.end() ? before->second.since : "";
    forgotten_.erase(key);
    open_[key] = std::move(use);
  }
  void close(const std::string& key, Use use) {
    end_forgotten();
    const auto begun = open_.find(key);
    use.until = use.since;
    use.since = begun != open_.end() ? begun->second.since : "";
    open_.erase(key);
    found(std::move(use));
  }
  void end_forgotten() {
    for (auto& [key, use] : forgotten_) {
      use.until = start_;
      found(std::move(use));
    }
    forgotten_.clear();
  }
  void found(Use use) {
    if (wanted_.has(use)) {
      uses_.push_back(std::move(use));
    }
  }

  const Wanted& wanted_;
  std::map<std::string, Use> open_, forgotten_;
  std::string start_;
  std::vector<Use> uses_;
  uint64_t lost_ = 0, last_lost_ = 0;
};

/// The file and its elders, oldest first.
std::vector<std::string> files_of(const std::string& newest) {
  std::vector<std::string> files = {newest};
  for (int n = 1; std::filesystem::exists(newest + "." + std::to_string(n)); ++n) {
    files.insert(files.begin(), newest + "." + std::to_string(n));
  }
  return files;
}

void read(const std::string& file, Reading& reading) {
  std::ifstream stream(file);
  if (!stream) {
    throw Failure(Exit::usage, "cannot read " + file);
  }
  std::string line;
  for (size_t number = 1; std::getline(stream, line); ++number) {
    if (!reading.add(line) && !stream.eof()) {
      throw Failure(Exit::usage,
                    file + ", line " + std::to_string(number) + ": this is no line of a NAT log");
    }
  }
}

void print_uses(const Session& session, const std::vector<Use>& uses) {
  if (session.format == Format::json) {
    for (const Use& use : uses) {
      session.out << R"({"since": ")" << use.since << R"(", "until": ")" << use.until
                  << R"(", "protocol": ")" << use.protocol << R"(", "inside": ")" << use.inside
                  << R"(", "snat": ")" << use.snat << R"(", "outside": ")" << use.outside
                  << "\"}\n";
    }
    return;
  }
  Table table({"since", "until", "protocol", "inside", "snat", "outside"});
  const auto or_unknown = [](const std::string& time) { return time.empty() ? "?" : time; };
  for (const Use& use : uses) {
    table.add({or_unknown(use.since), or_unknown(use.until), use.protocol, use.inside, use.snat,
               use.outside});
  }
  table.print(session.out);
}

}  // namespace

void add_nat_log(CLI::App& app, Session& session) {
  struct State {
    std::string file = "/var/log/nezu/nat.log";
    Wanted wanted;
  };
  auto state = std::make_shared<State>();
  auto* command = app.add_subcommand("nat-log", "Who had which SNAT address and port when");
  command->add_option("-f,--file", state->file, "The newest file of the log")
      ->capture_default_str();
  command->add_option("--snat", state->wanted.snat, "ADDRESS or ADDRESS:PORT that was seen");
  command->add_option("--outside", state->wanted.outside, "ADDRESS or ADDRESS:PORT that saw it");
  command->add_option("--inside", state->wanted.inside, "ADDRESS or ADDRESS:PORT that had it");
  command->add_option("--at", state->wanted.at, "When (UTC), as 2026-03-01T12:00:00");
  action(command, session, [state, &session] {
    Reading reading(state->wanted);
    for (const std::string& file : files_of(state->file)) {
      read(file, reading);
    }
    reading.finish();
    print_uses(session, reading.uses());
    if (reading.lost() != 0) {
      session.err << "nezu: " << reading.lost() << " records were lost: there may have been more\n";
    }
    return Exit::ok;
  });
}

}  // namespace nezu::cli
