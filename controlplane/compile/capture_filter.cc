#include "controlplane/compile/capture_filter.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "dataplane/net/packet.h"
#include "dataplane/net/reason.h"

namespace nezu::compile {
namespace {

using tables::CaptureOp;
using tables::CaptureStep;

constexpr uint32_t kDeepest = 32;  ///< parentheses and "not" within each other

struct Token {
  std::string text;
  size_t column = 0;
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_of_word(char c) {
  return !is_space(c) && std::string_view("()!&|").find(c) == std::string_view::npos;
}

/// Words; each sign by itself, but "&&" and "||".
std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  for (size_t i = 0; i < text.size();) {
    const size_t from = i++;
    if (is_space(text[from])) continue;
    if (is_of_word(text[from])) {
      while (i < text.size() && is_of_word(text[i])) ++i;
    } else if ((text[from] == '&' || text[from] == '|') && i < text.size() &&
               text[i] == text[from]) {
      ++i;
    }
    tokens.push_back({std::string(text.substr(from, i - from)), from + 1});
  }
  return tokens;
}

std::optional<uint16_t> number_of(std::string_view text) {
  uint16_t number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && at == end ? std::optional(number) : std::nullopt;
}

/// Words that are a question by themselves, behind which "and" may be left out.
struct Kind {
  const char* word;
  CaptureOp op;
  uint16_t first;
};
constexpr auto protocol_of = [](net::Protocol protocol) { return static_cast<uint16_t>(protocol); };
constexpr Kind kKinds[] = {
    {"tcp", CaptureOp::protocol, protocol_of(net::Protocol::tcp)},
    {"udp", CaptureOp::protocol, protocol_of(net::Protocol::udp)},
    {"sctp", CaptureOp::protocol, protocol_of(net::Protocol::sctp)},
    {"icmp", CaptureOp::protocol, protocol_of(net::Protocol::icmp)},
    {"icmp6", CaptureOp::protocol, protocol_of(net::Protocol::icmpv6)},
    {"gre", CaptureOp::protocol, protocol_of(net::Protocol::gre)},
    {"esp", CaptureOp::protocol, protocol_of(net::Protocol::esp)},
    {"ip", CaptureOp::version, 4},
    {"ip6", CaptureOp::version, 6},
    {"arp", CaptureOp::arp, 0},
    {"syn", CaptureOp::tcp_flags, net::kTcpSyn},
    {"fin", CaptureOp::tcp_flags, net::kTcpFin},
    {"rst", CaptureOp::tcp_flags, net::kTcpRst},
    {"dropped", CaptureOp::dropped, 0},
};

class Compiler {
 public:
  Compiler(std::string_view text, const FilterNames& names)
      : tokens_(tokens_of(text)), end_(text.size() + 1), names_(names) {}

  CompiledFilter compile() {
    if (!tokens_.empty()) {
      filter(0);
      if (!failed() && at_ < tokens_.size()) {
        fail(tokens_[at_].text == ")" ? "This parenthesis closes none."
                                      : "\"and\" or \"or\" must stand before this.");
      }
    }
    if (failed()) result_.program = {};
    return std::move(result_);
  }

 private:
  bool failed() const { return result_.fault.has_value(); }
  /// At the next token.
  void fail(const std::string& text) { fail(text, at_); }
  void fail(const std::string& text, size_t token) {
    if (failed()) return;
    result_.fault = {token < tokens_.size() ? tokens_[token].column : end_, text};
  }
  bool has(std::string_view word) const {
    return at_ < tokens_.size() && tokens_[at_].text == word;
  }
  bool take(std::string_view word) {
    const bool is_there = has(word);
    at_ += is_there ? 1 : 0;
    return is_there;
  }
  /// What follows a word of the last token; empty, and a fault, when nothing does.
  std::string operand(const char* what) {
    if (at_ < tokens_.size()) return tokens_[at_++].text;
    fail("The end, where " + std::string(what) + " is expected.");
    return {};
  }

  void emit(const CaptureStep& step) {
    tables::CaptureProgram& program = result_.program;
    if (program.count == tables::kMostCaptureSteps) {
      return fail("The filter is too long: it has more than " +
                      std::to_string(tables::kMostCaptureSteps) + " questions and connectives.",
                  at_ - 1);
    }
    program.steps[program.count++] = step;
  }
  void emit(CaptureOp op, uint16_t first = 0) {
    CaptureStep step;
    step.op = op;
    step.first = first;
    emit(step);
  }

  void filter(uint32_t depth) {
    term(depth);
    while (!failed() && (take("or") || take("||"))) {
      term(depth);
      emit(CaptureOp::either);
    }
  }

  void term(uint32_t depth) {
    bool is_kind = factor(depth);
    while (!failed()) {
      const bool says_and = take("and") || take("&&");
      const bool goes_on = is_kind && at_ < tokens_.size() && !has("or") && !has("||") && !has(")");
      if (!says_and && !goes_on) return;
      is_kind = factor(depth);
      emit(CaptureOp::both);
    }
  }

  /// True: a kind.
  bool factor(uint32_t depth) {
    if (depth == kDeepest) {
      fail("Parentheses and \"not\" stand too deep within each other.");
      return false;
    }
    if (take("not") || take("!")) {
      factor(depth + 1);
      if (!failed()) emit(CaptureOp::negation);
      return false;
    }
    if (!has("(")) return question();
    const size_t opened = at_++;
    filter(depth + 1);
    if (!failed() && !take(")")) fail("This parenthesis is not closed.", opened);
    return false;
  }

  bool question() {
    if (at_ == tokens_.size()) {
      fail("The end, where a question is expected, as \"host 192.0.2.7\".");
      return false;
    }
    const std::string& word = tokens_[at_].text;
    for (const Kind& kind : kKinds) {
      if (word != kind.word) continue;
      ++at_;
      emit(kind.op, kind.first);
      return true;
    }
    CaptureStep step;
    if (word == "src" || word == "dst") {
      step.sides = word == "src" ? tables::kOfSource : tables::kOfDestination;
      ++at_;
      address_or_port(step);
    } else if (!named()) {
      address_or_port(step);
    }
    return false;
  }

  /// Questions with one operand and no side. False: it is none.
  bool named() {
    if (take("proto")) {
      number(CaptureOp::protocol, 255, "a number of a protocol, 0 to 255");
    } else if (take("vlan")) {
      number(CaptureOp::vlan, 4095, "a VLAN, 0 (untagged) to 4095");
    } else if (take("instance")) {
      name(CaptureOp::instance, names_.instance, "a network instance", true);
    } else if (take("interface")) {
      name(CaptureOp::interface, names_.interface, "a port of the data plane", false);
    } else if (take("reason")) {
      reason();
    } else if (take("service")) {
      service();
    } else {
      return false;
    }
    return true;
  }

  void number(CaptureOp op, uint16_t most, const std::string& what) {
    const std::string text = operand(what.c_str());
    const auto value = number_of(text);
    if (!failed() && (!value || *value > most)) fail("This is not " + what + ".", at_ - 1);
    if (!failed()) emit(op, *value);
  }

  void name(CaptureOp op, const std::function<std::optional<uint16_t>(const std::string&)>& find,
            const std::string& what, bool may_be_number) {
    const std::string text = operand(what.c_str());
    if (failed()) return;
    auto found = find ? find(text) : std::nullopt;
    if (!found && may_be_number) found = number_of(text);
    if (!found) return fail("This is not the name of " + what + ".", at_ - 1);
    emit(op, *found);
  }

  void reason() {
    const std::string text = operand("the name of a reason");
    if (failed()) return;
    const auto* at = std::find(net::kReasonNames.begin() + 1, net::kReasonNames.end(), text);
    if (at == net::kReasonNames.end()) {
      return fail("There is no such reason; `nezu stats` lists those that packets had.", at_ - 1);
    }
    emit(CaptureOp::reason, static_cast<uint16_t>(at - net::kReasonNames.begin()));
  }

  /// To its address and port, or from there.
  void service() {
    const std::string text = operand("the name of a service");
    if (failed()) return;
    const auto key = names_.service ? names_.service(text) : std::nullopt;
    if (!key) return fail("There is no such service.", at_ - 1);
    for (const uint8_t side : {tables::kOfSource, tables::kOfDestination}) {
      CaptureStep step;
      step.sides = side;
      emit_network(step, key->address, key->host_bits);
      if (key->port == 0) continue;
      step.op = CaptureOp::ports;
      step.first = key->port;
      step.last = key->last_port != 0 ? key->last_port : key->port;
      emit(step);
      emit(CaptureOp::both);
    }
    emit(CaptureOp::either);
    emit(CaptureOp::instance, static_cast<uint16_t>(key->instance));
    emit(CaptureOp::both);
    if (key->protocol == net::Protocol::any) return;
    emit(CaptureOp::protocol, static_cast<uint16_t>(key->protocol));
    emit(CaptureOp::both);
  }

  void emit_network(CaptureStep step, const net::Address& address, uint8_t host_bits) {
    step.op = CaptureOp::network;
    step.host_bits = host_bits;
    step.address = net::masked(address, host_bits);
    emit(step);
    // Also IPv4 addresses, as they are kept, lie below short prefixes.
    const bool holds_both =
        !address.is_v4() && net::masked(net::Address::v4(0), host_bits) == step.address;
    if (!holds_both) return;
    emit(CaptureOp::version, 6);
    emit(CaptureOp::both);
  }

  void address_or_port(CaptureStep step) {
    if (take("host")) return address(step, false);
    if (take("net")) return address(step, true);
    if (take("port")) {
      const std::string text = operand("a port");
      return ports(step, text, text);
    }
    if (take("portrange")) {
      const std::string text = operand("a range of ports");
      const size_t dash = std::min(text.find('-'), text.size());
      return ports(step, text.substr(0, dash), dash == text.size() ? "" : text.substr(dash + 1));
    }
    if (at_ < tokens_.size() && !net::parse_prefix(tokens_[at_].text)) {
      return fail("There is no such word; an address, or one as host, port, tcp is expected.");
    }
    address(step, true);
  }

  void address(const CaptureStep& step, bool may_be_prefix) {
    const std::string text = operand("an address");
    if (failed()) return;
    const auto prefix = net::parse_prefix(text);
    if (!prefix || (!may_be_prefix && text.find('/') != std::string::npos)) {
      return fail(may_be_prefix ? "This is no address and no prefix, as 192.0.2.0/24."
                                : "This is no IPv4 or IPv6 address.",
                  at_ - 1);
    }
    const uint32_t all = prefix->address.is_v4() ? 32 : 128;
    emit_network(step, prefix->address, static_cast<uint8_t>(all - prefix->length));
  }

  void ports(CaptureStep step, const std::string& first, const std::string& last) {
    if (failed()) return;
    const auto from = number_of(first), to = number_of(last);
    if (!from || !to || *from > *to) {
      return fail("This is no port, 0 to 65535, and no range as 8000-8010.", at_ - 1);
    }
    step.op = CaptureOp::ports;
    step.first = *from;
    step.last = *to;
    emit(step);
  }

  std::vector<Token> tokens_;
  size_t end_;
  const FilterNames& names_;
  size_t at_ = 0;
  CompiledFilter result_;
};

}  // namespace

CompiledFilter compile_filter(std::string_view text, const FilterNames& names) {
  if (text.size() <= kLongestFilter) return Compiler(text, names).compile();
  CompiledFilter refused;
  refused.fault = {kLongestFilter + 1,
                   "The filter is longer than " + std::to_string(kLongestFilter) + " bytes."};
  return refused;
}

}  // namespace nezu::compile
