// Events of `change`, as they stand on the command line.
#include "bench/generator/event_text.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace nezu::generator {
namespace {

const net::Range kServers = *net::parse_range("10.0.0.11-10.0.0.14");

TEST(EventText, IsACommandUnlessItIsTheGeneratorsOwn) {
  const EventText event = parse_event("push of 1=nezu apply -f a=b.yaml", kServers);
  EXPECT_EQ(event.kind, EventText::Kind::command);
  EXPECT_EQ(event.name, "push of 1");
  EXPECT_EQ(event.command, "nezu apply -f a=b.yaml");
  for (const char* other : {"x=mutet 10.0.0.11", "x=/bin/mute 10.0.0.11", "x= mute 10.0.0.11"}) {
    EXPECT_EQ(parse_event(other, kServers).kind, EventText::Kind::command) << other;
  }
}

TEST(EventText, NamesTheServerThatFallsSilent) {
  const EventText mute = parse_event("server failed=mute 10.0.0.12", kServers);
  EXPECT_EQ(mute.kind, EventText::Kind::mute);
  EXPECT_EQ(mute.name, "server failed");
  EXPECT_EQ(mute.command, "mute 10.0.0.12");
  EXPECT_EQ(mute.server, *net::parse_address("10.0.0.12"));
  const EventText back = parse_event("back=unmute 2001:db8::5", *net::parse_range("2001:db8::/64"));
  EXPECT_EQ(back.kind, EventText::Kind::unmute);
  EXPECT_EQ(back.server, *net::parse_address("2001:db8::5"));
}

std::string refusal(const std::string& text) {
  try {
    parse_event(text, kServers);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "was taken";
}

TEST(EventText, IsRefusedByASentence) {
  EXPECT_EQ(refusal("x=mute 10.0.0.15"),
            "--event x=mute 10.0.0.15: 10.0.0.15 is none of --servers");
  EXPECT_EQ(refusal("x=mute web1"), "--event x=mute web1: \"web1\" is no address of a server");
  EXPECT_EQ(refusal("x=unmute"), "--event x=unmute: \"\" is no address of a server");
  EXPECT_EQ(refusal("x=mute  10.0.0.11"),
            "--event x=mute  10.0.0.11: \" 10.0.0.11\" is no address of a server");
  for (const char* text : {"", "x", "=true", "x="}) {
    EXPECT_NE(refusal(text).find("is not NAME=COMMAND"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace nezu::generator
