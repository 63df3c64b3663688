// Any text as a filter of a capture: it is refused with a column of its own, or it is a sound
// program, of which "not" says the opposite. Any bytes as a program: it is not sound, or it says
// yes or no of any frame.
//
// Input: the filter, a line end, a frame as it came, which leaves with other addresses; the whole
// input is a program as well.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "controlplane/compile/capture_filter.h"
#include "dataplane/capture/filter.h"
#include "dataplane/parse/parse.h"
#include "tests/fuzz/parsed.h"

namespace {

using namespace nezu;

void require(bool good, const char* what, std::string_view text) {
  if (good) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
  std::abort();
}

compile::FilterNames names() {
  compile::FilterNames names;
  names.service = [](const std::string& name) -> std::optional<tables::ServiceKey> {
    if (name.empty() || name[0] > 'm') return std::nullopt;
    tables::ServiceKey key;
    key.address = name[0] > 'f' ? net::Address{} : net::Address::v4(0xc0000207);
    key.host_bits = static_cast<uint8_t>(std::min<size_t>(name.size(), 16) * 8);
    key.port = static_cast<uint16_t>(name.size() % 2);
    key.protocol = name[0] > 'c' ? net::Protocol::any : net::Protocol::tcp;
    return key;
  };
  names.interface = names.instance = [](const std::string& name) -> std::optional<uint16_t> {
    if (name.size() > 3) return std::nullopt;
    return static_cast<uint16_t>(name.size());
  };
  return names;
}

/// In a buffer of exactly its size, so that a read behind it is seen.
class Frame {
 public:
  explicit Frame(std::string_view bytes)
      : bytes_(std::make_unique<uint8_t[]>(bytes.size())), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), bytes_.get());
    fuzz::repair_ipv4_sum({bytes_.get(), size_});
  }
  capture::Look look(uint16_t port) const {
    const auto size = static_cast<uint32_t>(size_);
    net::Packet packet;
    packet.arrive(bytes_.get(), nullptr, size, size, size, port);
    packet.knows_ports = port == 1;
    packet.ports = 0x12345678;
    parse::parse(packet);
    return capture::look_at(packet, net::Instance::standard);
  }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_;
};

void check_program(std::string_view input, const capture::Seen& seen) {
  tables::CaptureProgram program;
  std::memcpy(static_cast<void*>(&program), input.data(), std::min(input.size(), sizeof program));
  if (tables::is_sound(program)) (void)capture::matches(program, seen);
}

void check_text(std::string_view text, const capture::Seen& seen) {
  const compile::CompiledFilter compiled = compile::compile_filter(text, names());
  if (compiled.fault) {
    require(compiled.fault->column >= 1 && compiled.fault->column <= text.size() + 1 &&
                !compiled.fault->text.empty() && compiled.program.count == 0,
            "fault", text);
    return;
  }
  require(tables::is_sound(compiled.program), "unsound", text);
  if (compiled.program.count == 0) return;
  const compile::CompiledFilter opposite =
      compile::compile_filter("not (" + std::string(text) + ")", names());
  if (opposite.fault) return;  // too long, or too deep
  require(capture::matches(compiled.program, seen) != capture::matches(opposite.program, seen),
          "opposite", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const size_t line = std::min(input.find('\n'), size);
  const std::string_view rest = line < size ? input.substr(line + 1) : std::string_view();
  if (rest.size() > 0xffff) return 0;
  const Frame frame(rest);
  const Frame other(rest.substr(rest.size() / 2));
  const capture::Look came = frame.look(1), left = other.look(0);
  for (const net::Reason reason : {net::Reason::none, net::Reason::no_server}) {
    const bool is_dropped = reason != net::Reason::none;
    const capture::Seen seen{&came, is_dropped ? nullptr : &left, is_dropped, reason};
    check_text(input.substr(0, line), seen);
    if (size != 0) check_program(input, seen);
  }
  return 0;
}
