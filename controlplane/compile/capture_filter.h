// The words of `nezu capture` as a program for workers (tables/capture.h).
//
//   filter   = term { ("or" | "||") term }
//   term     = factor { ["and" | "&&"] factor }    "and" may be left out behind a kind: tcp port 80
//   factor   = ("not" | "!") factor | "(" filter ")" | question
//   question = [ "src" | "dst" ] ( "host" A | "net" A/N | "port" N | "portrange" N-N | A | A/N )
//            | kind | "proto" N | "vlan" N | "instance" NAME | "interface" NAME | "service" NAME
//            | "syn" | "fin" | "rst" | "dropped" | "reason" NAME
//   kind     = "tcp" | "udp" | "sctp" | "icmp" | "icmp6" | "gre" | "esp" | "ip" | "ip6" | "arp"
//
// Pure; any thread. Any text is compiled or refused with the column of what is wrong.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/tables/blocks.h"
#include "dataplane/tables/capture.h"

namespace nezu::compile {

inline constexpr size_t kLongestFilter = 1024;

/// What words may name. Null: nothing has such a name.
struct FilterNames {
  std::function<std::optional<tables::ServiceKey>(const std::string&)> service;
  std::function<std::optional<uint16_t>(const std::string&)> interface;  ///< number of the port
  std::function<std::optional<uint16_t>(const std::string&)> instance;
};

struct FilterFault {
  size_t column = 0;  ///< from 1
  std::string text;   ///< a sentence
};

struct CompiledFilter {
  tables::CaptureProgram program;
  std::optional<FilterFault> fault;
};

CompiledFilter compile_filter(std::string_view text, const FilterNames& names);

}  // namespace nezu::compile
