// What must hold while writer and readers run together; each answers with what went wrong, or with
// nothing.
//
// The same scenarios run against the real sources, which must pass, and against sources that are
// wrong on purpose (NEZU_MUTANT), which must be caught.
#pragma once

#include <cstdint>
#include <string>

namespace nezu::tables {

/// A reader holds one view while the writer goes on until nothing is left, then goes on itself.
std::string hold_a_view();
/// Between any two stores of the writer the live generation is whole. Needs NEZU_CRASH_POINTS.
std::string look_between_stores();
/// A slot whose flows go on is not given again.
std::string keep_a_slot_with_flows();
/// Three reader threads check every view that they get, twice, while the writer does `steps`.
std::string read_while_writing(uint64_t steps);

}  // namespace nezu::tables
