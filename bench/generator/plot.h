// Plots as SVG, for a page that needs nothing else.
//
// One thread; allocates. Colours and text are the page's (CSS classes), so that they print.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace nezu::generator {

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct Plot {
  std::string title, x, y;  ///< y with its unit
  std::vector<Line> lines{};
  bool log_x = false, log_y = false;
  /// Words instead of numbers on the x axis, at 0, 1, 2 ...
  std::vector<std::string> names{};
  bool bars = false;  ///< of the lines' points, by `names`
};

/// An <svg> element; empty where there is nothing to draw.
std::string draw(const Plot& plot);

/// "1.25 M", "640", "12 k": for axes and tables.
std::string with_prefix(double value);
/// Text as it may stand in HTML.
std::string escaped(const std::string& text);

}  // namespace nezu::generator
