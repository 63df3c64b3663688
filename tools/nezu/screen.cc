#include "tools/nezu/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>

namespace nezu::cli {
namespace {

std::atomic<bool> interrupted{false};

void write_all(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written <= 0) {
      return;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

bool Screen::is_possible() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

Screen::Screen() {
  ::tcgetattr(STDIN_FILENO, &before_);
  termios quiet = before_;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
  struct sigaction leave {};
  leave.sa_handler = [](int) { interrupted = true; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    ::sigaction(signal, &leave, nullptr);
  }
  write_all("\033[?1049h\033[?25l");  // the other screen, without a cursor
}

Screen::~Screen() {
  write_all("\033[?25h\033[?1049l");
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

Screen::Size Screen::size() {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0) {
    return {};
  }
  return {window.ws_row, window.ws_col};
}

void Screen::show(const std::string& picture) {
  const Size now = size();
  std::string frame = "\033[H";
  const std::string text = cut(picture, now.rows - 1, now.columns);
  for (const char c : text) {
    frame += c == '\n' ? std::string("\033[K\n") : std::string(1, c);
  }
  write_all(frame + "\033[J");
}

bool Screen::wait(std::chrono::milliseconds longest) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  ::poll(&input, 1, static_cast<int>(longest.count()));
  char key = 0;
  if ((input.revents & POLLIN) != 0 && ::read(STDIN_FILENO, &key, 1) != 1) {
    return false;  // the terminal has gone
  }
  return key != 'q' && key != 'Q' && !interrupted;
}

std::string cut(const std::string& text, size_t rows, size_t columns) {
  std::string out;
  size_t row = 0;
  size_t column = 0;
  for (const char c : text) {
    if (row == rows) {
      break;
    }
    if (c == '\n') {
      out += c;
      ++row;
      column = 0;
      continue;
    }
    const bool continues = (static_cast<unsigned char>(c) & 0xc0) == 0x80;  // of a UTF-8 letter
    column += continues ? 0 : 1;
    if (column <= columns) {
      out += c;
    }
  }
  return out;
}

}  // namespace nezu::cli
