#include "bench/generator/event_text.h"

#include <stdexcept>

namespace nezu::generator {

EventText parse_event(const std::string& text, const net::Range& servers) {
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument("--event " + text + ": " + why);
  };
  EventText event;
  const size_t equal = text.find('=');
  if (equal == std::string::npos || equal == 0 || equal + 1 == text.size()) {
    refuse("is not NAME=COMMAND, NAME=mute ADDRESS or NAME=unmute ADDRESS");
  }
  event.name = text.substr(0, equal);
  event.command = text.substr(equal + 1);
  const size_t space = event.command.find(' ');
  const std::string verb = event.command.substr(0, space);
  if (verb != "mute" && verb != "unmute") return event;
  event.kind = verb == "mute" ? EventText::Kind::mute : EventText::Kind::unmute;
  const std::string who = space == std::string::npos ? "" : event.command.substr(space + 1);
  const auto address = net::parse_address(who);
  if (!address) refuse("\"" + who + "\" is no address of a server");
  if (!servers.contains(*address)) refuse(who + " is none of --servers");
  event.server = *address;
  return event;
}

}  // namespace nezu::generator
