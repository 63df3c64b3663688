#include "bench/generator/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace nezu::generator {
namespace {

constexpr double kWidth = 640, kHeight = 300, kLeft = 70, kRight = 16, kTop = 34, kBottom = 52;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

/// One axis: from values to the place on the page.
class Axis {
 public:
  Axis(bool logarithmic, double from_page, double to_page)
      : logarithmic_(logarithmic), from_page_(from_page), to_page_(to_page) {}

  void include(double value) {
    if (logarithmic_ && value <= 0) return;
    low_ = any_ ? std::min(low_, value) : value;
    high_ = any_ ? std::max(high_, value) : value;
    any_ = true;
  }
  /// Rounds to what can be read off.
  void settle() {
    if (logarithmic_) {
      low_ = std::pow(10, std::floor(std::log10(any_ ? low_ : 1)));
      high_ = std::pow(10, std::ceil(std::log10(any_ ? high_ : 10)));
      if (high_ <= low_) high_ = low_ * 10;
      return;
    }
    if (high_ <= low_) high_ = low_ + 1;
    step_ = std::pow(10, std::floor(std::log10((high_ - low_) / 5)));
    for (const double more : {2.0, 2.5, 2.0}) {
      if ((high_ - low_) / step_ > 6) step_ *= more;
    }
    high_ = std::ceil(high_ / step_ - 1e-9) * step_;
  }
  double at(double value) const {
    double share = 0;
    if (logarithmic_) {
      share = std::log10(std::max(value, low_) / low_) / std::log10(high_ / low_);
    } else {
      share = (value - low_) / (high_ - low_);
    }
    return from_page_ + share * (to_page_ - from_page_);
  }
  std::vector<double> marks() const {
    std::vector<double> all;
    if (logarithmic_) {
      for (double mark = low_; mark <= high_ * 1.001; mark *= 10) all.push_back(mark);
    } else {
      for (double mark = low_; mark <= high_ + step_ / 2; mark += step_) all.push_back(mark);
    }
    return all;
  }

 private:
  bool logarithmic_, any_ = false;
  double from_page_, to_page_, low_ = 0, high_ = 0, step_ = 1;
};

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const char* more = "") {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\"" +
         more + ">" + escaped(text) + "</text>";
}

std::string line_from(double x1, double y1, double x2, double y2, const char* name) {
  return "<line class=\"" + std::string(name) + "\" x1=\"" + number(x1) + "\" y1=\"" + number(y1) +
         "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) + "\"/>";
}

std::string draw_bars(const Plot& plot, const Axis& x, const Axis& y) {
  std::string out;
  const auto kinds = static_cast<double>(plot.lines.size());
  const double slot = x.at(1) - x.at(0), width = slot * 0.7 / kinds;
  for (size_t kind = 0; kind < plot.lines.size(); ++kind) {
    for (const auto& [at, value] : plot.lines[kind].points) {
      const double left = x.at(at) - slot * 0.35 + width * static_cast<double>(kind);
      const double top = y.at(value), bottom = y.at(0);
      out += "<rect class=\"c" + std::to_string(kind % 6) + "\" x=\"" + number(left) + "\" y=\"" +
             number(top) + "\" width=\"" + number(width) + "\" height=\"" +
             number(std::max(0.0, bottom - top)) + "\"/>";
      out += text_at(left + width / 2, top - 4, "middle", with_prefix(value), " class=\"value\"");
    }
  }
  return out;
}

std::string draw_lines(const Plot& plot, const Axis& x, const Axis& y) {
  std::string out;
  for (size_t kind = 0; kind < plot.lines.size(); ++kind) {
    std::string points;
    for (const auto& [at, value] : plot.lines[kind].points) {
      points += number(x.at(at)) + "," + number(y.at(value)) + " ";
      out += "<circle class=\"c" + std::to_string(kind % 6) + "\" cx=\"" + number(x.at(at)) +
             "\" cy=\"" + number(y.at(value)) + "\" r=\"2.5\"/>";
    }
    out += "<polyline class=\"l" + std::to_string(kind % 6) + "\" points=\"" + points + "\"/>";
  }
  return out;
}

}  // namespace

std::string with_prefix(double value) {
  const double size = std::fabs(value);
  const char* prefix = size >= 1e9 ? " G" : size >= 1e6 ? " M" : size >= 1e4 ? " k" : "";
  const double scale = size >= 1e9 ? 1e9 : size >= 1e6 ? 1e6 : size >= 1e4 ? 1e3 : 1;
  char text[48];
  std::snprintf(text, sizeof text, "%.4g%s", value / scale, prefix);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += letter;
    }
  }
  return out;
}

std::string draw(const Plot& plot) {
  const bool empty = std::all_of(plot.lines.begin(), plot.lines.end(),
                                 [](const Line& line) { return line.points.empty(); });
  if (empty) return "";
  Axis x(plot.log_x, kLeft, kWidth - kRight), y(plot.log_y, kHeight - kBottom, kTop);
  if (!plot.log_y) y.include(0);
  for (const Line& line : plot.lines) {
    for (const auto& [at, value] : line.points) {
      x.include(at);
      y.include(value);
    }
  }
  if (!plot.names.empty()) {
    x.include(-0.5);
    x.include(static_cast<double>(plot.names.size()) - 0.5);
  } else {
    x.settle();
  }
  y.settle();
  std::string out = "<svg viewBox=\"0 0 640 300\" role=\"img\" aria-label=\"" +
                    escaped(plot.title) + "\">" +
                    text_at(kLeft, 16, "start", plot.title, " class=\"title\"");
  for (const double mark : y.marks()) {
    out += line_from(kLeft, y.at(mark), kWidth - kRight, y.at(mark), "grid") +
           text_at(kLeft - 6, y.at(mark) + 4, "end", with_prefix(mark));
  }
  if (plot.names.empty()) {
    for (const double mark : x.marks()) {
      out += line_from(x.at(mark), kTop, x.at(mark), kHeight - kBottom, "grid") +
             text_at(x.at(mark), kHeight - kBottom + 16, "middle", with_prefix(mark));
    }
  }
  for (size_t i = 0; i < plot.names.size(); ++i) {
    out += text_at(x.at(static_cast<double>(i)), kHeight - kBottom + 16, "middle", plot.names[i]);
  }
  out += plot.bars ? draw_bars(plot, x, y) : draw_lines(plot, x, y);
  out += text_at((kLeft + kWidth - kRight) / 2, kHeight - kBottom + 32, "middle", plot.x);
  out += text_at(
      12, (kTop + kHeight - kBottom) / 2, "middle", plot.y,
      (" transform=\"rotate(-90 12 " + number((kTop + kHeight - kBottom) / 2) + ")\"").c_str());
  double left = kLeft;
  for (size_t kind = 0; plot.lines.size() > 1 && kind < plot.lines.size(); ++kind) {
    out += "<rect class=\"c" + std::to_string(kind % 6) + "\" x=\"" + number(left) +
           "\" y=\"286\" width=\"10\" height=\"10\"/>" +
           text_at(left + 14, 295, "start", plot.lines[kind].name);
    left += 26 + 7 * static_cast<double>(plot.lines[kind].name.size());
  }
  return out + "</svg>\n";
}

}  // namespace nezu::generator
