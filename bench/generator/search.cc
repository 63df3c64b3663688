#include "bench/generator/search.h"

#include <algorithm>
#include <cmath>

namespace nezu::generator {

Search::Search(const SearchOptions& options)
    : options_(options), low_(options.least), high_(options.most), rate_(options.most) {
  // One length for all: each trial decides.
  deciding_ = options.short_seconds >= options.deciding_seconds;
}

double Search::seconds() const {
  return deciding_ ? options_.deciding_seconds : options_.short_seconds;
}

uint32_t Search::left() const {
  if (done_) return 0;
  const double range = std::max(high_ - low_, tolerance());
  const auto halvings = static_cast<uint32_t>(std::ceil(std::log2(range / tolerance())));
  return halvings + 1;
}

void Search::tell(bool passed) {
  if (done_) return;
  if (deciding_) {
    tell_deciding(passed);
  } else {
    tell_short(passed);
  }
}

void Search::tell_short(bool passed) {
  if (passed) {
    low_ = rate_;
  } else {
    high_ = rate_;
    failed_ = true;
  }
  if (failed_ && high_ - low_ > tolerance()) {
    rate_ = (low_ + high_) / 2;
    return;
  }
  deciding_ = true;
  if (low_ > options_.least) {
    rate_ = low_;
    low_ = options_.least;  // no longer: it has passed for a short time only
  } else {
    rate_ = low_ + (high_ - low_) / 2;  // nothing passed; the last word is a deciding trial's
  }
}

void Search::tell_deciding(bool passed) {
  if (passed) {
    found_ = low_ = rate_;
  } else {
    high_ = rate_;
    failed_ = true;
  }
  if (!failed_ || high_ - low_ <= tolerance()) {
    done_ = true;
    return;
  }
  if (found_ > 0 || options_.short_seconds >= options_.deciding_seconds) {
    rate_ = (low_ + high_) / 2;
    return;
  }
  // Nothing has passed for so long yet: down, each time twice as far.
  step_ = step_ == 0 ? tolerance() : 2 * step_;
  rate_ = std::max(high_ - step_, (low_ + high_) / 2);
}

}  // namespace nezu::generator
