// What all changing commands share: their options, and how a change is shown.
#pragma once

#include <limits>
#include <string>

#include "nezu/v1/change.pb.h"
#include "tools/nezu/session.h"

namespace nezu::cli {

/// --check, --expect-revision and --comment.
struct ChangeFlags {
  bool check = false;
  uint64_t expected_revision = 0;
  std::string comment;

  void add(CLI::App* command);
  v1::ChangeOptions options() const;
};

enum class Fields : uint8_t {
  all,      ///< also those of objects that are added: what would be there
  changed,  ///< of changed objects only
};
/// "+ services["shop"]", below it the fields; at most `objects` objects.
void print_diff(std::ostream& out, const v1::Diff& diff, Fields fields,
                int objects = std::numeric_limits<int>::max());

/// Prints what a change did. A dry run with problems is Exit::refused.
Exit report_change(const Session& session, const v1::ChangeResponse& response);

/// Makes the change that `request` asks for and reports it.
Exit change(Session& session, const google::protobuf::Message& request);

}  // namespace nezu::cli
