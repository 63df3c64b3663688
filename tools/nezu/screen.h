// A terminal taken over for a live picture, and given back as it was.
#pragma once

#include <termios.h>

#include <chrono>
#include <string>

namespace nezu::cli {

class Screen {
 public:
  struct Size {
    size_t rows = 24;
    size_t columns = 80;
  };
  /// Whether standard input and output are a terminal.
  static bool is_possible();

  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static Size size();
  /// Draws `picture` from the top left, cut to the terminal's size.
  void show(const std::string& picture);
  /// Waits for a key or for the time to pass. False when the user wants to leave: q, Ctrl-C.
  bool wait(std::chrono::milliseconds longest);

 private:
  termios before_{};
};

/// The lines of `text`, each at most `columns` wide, at most `rows` of them.
std::string cut(const std::string& text, size_t rows, size_t columns);

}  // namespace nezu::cli
