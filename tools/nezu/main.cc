// nezu: the command line. Everything is in commands.cc and one file for each group of verbs.
#include <cstdlib>

#include "tools/nezu/commands.h"

int main(int argc, char** argv) {
  // What goes wrong is told by us, in words; the library's own log would only stand in between.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  nezu::cli::Session session;
  return nezu::cli::run({argv + 1, argv + argc}, session);
}
