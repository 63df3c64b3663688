// Lines of agents: what HAProxy's manual says about each word, and what is none.
#include "controlplane/health/agent_words.h"

#include <gtest/gtest.h>

namespace nezu::health {
namespace {

using Order = AgentWords::Order;

/// "75% drain up maxconn:30 #why !what", in this order, only what was said.
std::string said(std::string_view line) {
  const AgentWords words = read_agent_line(line);
  std::string text = words.percent ? std::to_string(*words.percent) + "% " : "";
  text += words.order == Order::ready         ? "ready "
          : words.order == Order::drain       ? "drain "
          : words.order == Order::maintenance ? "maint "
                                              : "";
  text += !words.is_up ? "" : *words.is_up ? "up " : "down ";
  text += words.max_flows ? "maxconn:" + std::to_string(*words.max_flows) + " " : "";
  text += words.reason.empty() ? "" : "#" + words.reason + " ";
  text += words.unknown.empty() ? "" : "!" + words.unknown + " ";
  EXPECT_EQ(words.exists(),
            words.percent || words.max_flows || words.is_up || words.order != Order::none);
  if (!text.empty()) {
    text.pop_back();
  }
  return text;
}

TEST(AgentWords, each_word) {
  EXPECT_EQ(said("75%"), "75%");
  EXPECT_EQ(said("0%"), "0%");
  EXPECT_EQ(said("up"), "up");
  EXPECT_EQ(said("down"), "down");
  EXPECT_EQ(said("fail"), "down");
  EXPECT_EQ(said("stopped"), "down");
  EXPECT_EQ(said("ready"), "ready");
  EXPECT_EQ(said("drain"), "drain");
  EXPECT_EQ(said("maint"), "maint");
  EXPECT_EQ(said("maxconn:30"), "maxconn:30");
  EXPECT_EQ(said("maxconn:0"), "maxconn:0");
}

TEST(AgentWords, several_in_any_order_between_any_blanks) {
  EXPECT_EQ(said("up 50%"), "50% up");
  EXPECT_EQ(said(",,ready,\t80% , up,maxconn:7 "), "80% ready up maxconn:7");
  EXPECT_EQ(said("UP Ready 5%"), "5% ready up");
}

TEST(AgentWords, the_last_of_a_kind_holds) {
  EXPECT_EQ(said("10% 20%"), "20%");
  EXPECT_EQ(said("drain ready"), "ready");
  EXPECT_EQ(said("up down"), "down");
}

TEST(AgentWords, a_reason_ends_the_words) {
  EXPECT_EQ(said("down #disk full, 30% left"), "down #disk full, 30% left");
  EXPECT_EQ(said("fail#  db"), "down #db");
  EXPECT_EQ(said("stopped #"), "down");
  EXPECT_EQ(said("#up"), "#up");
}

TEST(AgentWords, the_line_ends_at_its_end) {
  EXPECT_EQ(said("50%\r\nup"), "50%");
  EXPECT_EQ(said("50%\rup"), "50%");
  EXPECT_EQ(said("\n50%"), "");
}

TEST(AgentWords, what_is_no_word_is_named_and_the_rest_counts) {
  EXPECT_EQ(said("hello 50% world"), "50% !hello");
  for (const char* word : {"%", "-5%", "5.5%", "+5%", "0x10%", "5%%", "50", "5 0%x", "maxconn:",
                           "maxconn:x", "maxconn:-1", "maxconn", "upp", "u", "downs", "\x80\xff"}) {
    EXPECT_FALSE(read_agent_line(word).exists()) << word;
    EXPECT_NE(read_agent_line(word).unknown, "") << word;
  }
  EXPECT_EQ(said("\x01\xffup"), "!??up");
}

TEST(AgentWords, numbers_that_are_too_large_are_the_largest) {
  EXPECT_EQ(said("1001%"), "1000%");
  EXPECT_EQ(said("99999999999999999999%"), "1000%");
  EXPECT_EQ(said("maxconn:99999999999999999999"), "maxconn:4294967295");
}

TEST(AgentWords, a_line_is_whole_with_its_end_or_when_nothing_more_comes) {
  EXPECT_EQ(agent_line("50%", false), std::nullopt);
  EXPECT_EQ(agent_line("", false), std::nullopt);
  EXPECT_EQ(agent_line("50%", true), "50%");
  EXPECT_EQ(agent_line("50%\nup\n", false), "50%");
  EXPECT_EQ(agent_line("50%\r\n", false), "50%");
  EXPECT_EQ(agent_line("", true), "");
}

TEST(AgentWords, what_is_not_said_stays) {
  compile::Share share;
  obey(read_agent_line("40% maxconn:9 drain"), share);
  EXPECT_EQ(share.percent, 40);
  EXPECT_EQ(share.max_flows, 9u);
  EXPECT_TRUE(share.drains);
  obey(read_agent_line("up 60%"), share);
  EXPECT_EQ(share.percent, 60);
  EXPECT_TRUE(share.drains) << "only ready ends it";
  obey(read_agent_line("maint"), share);
  EXPECT_TRUE(share.in_maintenance);
  EXPECT_FALSE(share.drains);
  obey(read_agent_line("down #x"), share);
  EXPECT_TRUE(share.is_down);
  obey(read_agent_line("ready"), share);
  EXPECT_FALSE(share.in_maintenance);
  EXPECT_TRUE(share.is_down) << "only up ends it";
  obey(read_agent_line("up"), share);
  EXPECT_FALSE(share.is_down);
  EXPECT_EQ(share.percent, 60);
  EXPECT_EQ(share.max_flows, 9u);
}

}  // namespace
}  // namespace nezu::health
