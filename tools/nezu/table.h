// Rows of text under a head, in columns as wide as they need to be.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace nezu::cli {

class Table {
 public:
  /// A title that begins with ">" is aligned to the right (numbers); the column of one that begins
  /// with "?" is left out while it is empty.
  explicit Table(std::vector<std::string> titles);
  void add(std::vector<std::string> row);
  bool is_empty() const { return rows_.empty(); }
  size_t size() const { return rows_.size(); }
  /// At most `rows` rows; says how many more there are.
  void print(std::ostream& out, size_t rows = static_cast<size_t>(-1)) const;

 private:
  void print_row(std::ostream& out, const std::vector<std::string>& row,
                 const std::vector<size_t>& widths) const;
  std::vector<std::string> titles_;
  std::vector<bool> to_right_, if_any_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace nezu::cli
