// The page that people read, and the comparison of two runs.
//
// One thread; from a file of results alone, so that it can be drawn again at any time.
#pragma once

#include <string>

#include "results.pb.h"

namespace nezu::generator {

/// One self-contained page: no script, no font, no picture from elsewhere.
std::string html(const results::Results& results);

/// What both runs measured, side by side with the ratio; and what only one did.
std::string compare(const results::Results& a, const results::Results& b);

}  // namespace nezu::generator
