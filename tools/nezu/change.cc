#include "tools/nezu/change.h"

#include "tools/nezu/file.h"

namespace nezu::cli {
namespace {

void print_problems(std::ostream& err, const char* word,
                    const google::protobuf::RepeatedPtrField<v1::Problem>& problems) {
  for (const v1::Problem& problem : problems) {
    err << word << problem_text(problem) << '\n';
  }
}

constexpr int kBrief = 100;

char sign_of(v1::ChangeKind kind) {
  switch (static_cast<int>(kind)) {
    case v1::CHANGE_KIND_ADDED:
      return '+';
    case v1::CHANGE_KIND_REMOVED:
      return '-';
    default:
      return '~';
  }
}

void print_summary(std::ostream& out, const v1::ChangeResponse& response) {
  const v1::Diff& diff = response.diff();
  if (diff.added() + diff.removed() + diff.changed() == 0) {
    out << "nothing " << (response.dry_run() ? "would change" : "changed") << "; revision "
        << response.revision() << '\n';
    return;
  }
  out << (response.dry_run() ? "would be " : "") << diff.added() << " added, " << diff.changed()
      << " changed, " << diff.removed() << " removed";
  if (response.dry_run()) {
    out << "; nothing was changed\n";
  } else {
    out << "; revision " << response.revision() << ", generation " << response.generation() << '\n';
  }
}

}  // namespace

void ChangeFlags::add(CLI::App* command) {
  command->add_flag("--check", check, "Show what would change and every problem, change nothing");
  command->add_option("--expect-revision", expected_revision,
                      "Refuse (exit status 5) unless this is the current revision");
  command->add_option("--comment", comment, "Kept in the history");
}

v1::ChangeOptions ChangeFlags::options() const {
  v1::ChangeOptions options;
  options.set_dry_run(check);
  options.set_expected_revision(expected_revision);
  options.set_comment(comment);
  return options;
}

void print_diff(std::ostream& out, const v1::Diff& diff, Fields fields, int objects) {
  for (const v1::Change& change : diff.changes()) {
    if (objects-- == 0) {
      out << "... and more: " << diff.changes_size() << " objects in all\n";
      return;
    }
    out << sign_of(change.kind()) << ' ' << change.object() << '\n';
    if (fields == Fields::changed && change.kind() != v1::CHANGE_KIND_CHANGED) {
      continue;
    }
    for (const v1::FieldChange& field : change.fields()) {
      out << "    " << field.field() << ": ";
      if (change.kind() == v1::CHANGE_KIND_CHANGED) {
        out << (field.before().empty() ? "(unset)" : field.before()) << " -> ";
      }
      out << (field.after().empty() ? "(unset)" : field.after()) << '\n';
    }
  }
}

Exit report_change(const Session& session, const v1::ChangeResponse& response) {
  print_problems(session.err, "nezu: warning: ", response.warnings());
  print(session, response, [&] {
    if (response.problems().empty()) {
      // What was done is told briefly; what would be done is there to be read.
      print_diff(session.out, response.diff(), response.dry_run() ? Fields::all : Fields::changed,
                 response.dry_run() ? std::numeric_limits<int>::max() : kBrief);
      print_summary(session.out, response);
    }
  });
  if (response.problems().empty()) {
    return Exit::ok;
  }
  session.err << "nezu: this would be refused: "
              << (response.problems_size() == 1
                      ? "1 problem"
                      : std::to_string(response.problems_size()) + " problems")
              << '\n';
  print_problems(session.err, "  ", response.problems());
  return Exit::refused;
}

Exit change(Session& session, const google::protobuf::Message& request) {
  return report_change(session, session.client().call<v1::ChangeResponse>(request));
}

}  // namespace nezu::cli
