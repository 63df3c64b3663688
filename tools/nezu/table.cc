#include "tools/nezu/table.h"

#include <algorithm>

namespace nezu::cli {
namespace {

/// Columns on a screen: code points, which is near enough for what is printed here.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

constexpr char kNothing[] = "-";
constexpr size_t kLeftOut = 0;  // the width of such a column

}  // namespace

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {
  for (std::string& title : titles_) {
    to_right_.push_back(title.starts_with('>'));
    if_any_.push_back(title.starts_with('?'));
    if (to_right_.back() || if_any_.back()) {
      title.erase(0, 1);
    }
  }
}

void Table::add(std::vector<std::string> row) {
  row.resize(titles_.size());
  for (std::string& cell : row) {
    if (cell.empty()) {
      cell = kNothing;  // so that every row has as many words as the head
    }
  }
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out, size_t rows) const {
  const size_t count = std::min(rows, rows_.size());
  std::vector<size_t> widths;
  for (size_t column = 0; column < titles_.size(); ++column) {
    if (if_any_[column] && std::ranges::all_of(rows_, [&](const std::vector<std::string>& row) {
          return row[column] == kNothing;
        })) {
      widths.push_back(kLeftOut);
      continue;
    }
    size_t width = width_of(titles_[column]);
    for (size_t i = 0; i < count; ++i) {
      width = std::max(width, width_of(rows_[i][column]));
    }
    widths.push_back(width);
  }
  print_row(out, titles_, widths);
  for (size_t i = 0; i < count; ++i) {
    print_row(out, rows_[i], widths);
  }
  if (count < rows_.size()) {
    out << "... and " << rows_.size() - count << " more\n";
  }
}

void Table::print_row(std::ostream& out, const std::vector<std::string>& row,
                      const std::vector<size_t>& widths) const {
  std::string line;
  for (size_t column = 0; column < row.size(); ++column) {
    if (widths[column] == kLeftOut) {
      continue;
    }
    const std::string padding(widths[column] - width_of(row[column]), ' ');
    line += to_right_[column] ? padding + row[column] : row[column] + padding;
    line += "  ";
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out << line << '\n';
}

}  // namespace nezu::cli
