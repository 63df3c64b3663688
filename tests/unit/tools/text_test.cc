// Values as people write and read them; tables; what is cut to a screen.
#include "tools/nezu/text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tools/nezu/failure.h"
#include "tools/nezu/screen.h"
#include "tools/nezu/table.h"

namespace nezu::cli {
namespace {

using std::chrono::milliseconds;

TEST(Text, addresses_with_and_without_ports) {
  EXPECT_EQ(parse_address_port("10.0.0.1").port, 0u);
  EXPECT_EQ(parse_address_port("10.0.0.1:80").port, 80u);
  EXPECT_EQ(parse_address_port("2001:DB8::1").address, "2001:db8::1");
  EXPECT_EQ(parse_address_port("[2001:db8::1]:443").port, 443u);
  EXPECT_EQ(parse_address_port("[2001:db8::1]").port, 0u);
  for (const char* bad : {"", "web1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:70000", "10.0.0.1:8x",
                          "[2001:db8::1", "[2001:db8::1]x", "10.0.0:80"}) {
    EXPECT_THROW(parse_address_port(bad), Failure) << bad;
  }
}

TEST(Text, servers) {
  const auto server = parse_server("[2001:db8::1]:53/udp");
  EXPECT_EQ(server.protocol(), v1::PROTOCOL_UDP);
  EXPECT_EQ(server_text(server), "[2001:db8::1]:53/udp");
  EXPECT_EQ(server_text(parse_server("10.0.0.1:80")), "10.0.0.1:80");
  EXPECT_EQ(parse_server("10.0.0.1:80").protocol(), v1::PROTOCOL_UNSPECIFIED);
  EXPECT_EQ(server_text(parse_server("10.0.0.1/gre")), "10.0.0.1/gre");
  EXPECT_EQ(server_text(parse_server("10.0.0.1:80/sctp")), "10.0.0.1:80/sctp");
  EXPECT_THROW(parse_server("10.0.0.1:80/smtp"), Failure);
}

TEST(Text, durations) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds{500});
  EXPECT_EQ(parse_duration("30"), milliseconds{30'000});
  EXPECT_EQ(parse_duration("1.5m"), milliseconds{90'000});
  EXPECT_EQ(parse_duration("2h"), milliseconds{7'200'000});
  for (const char* bad : {"", "s", "10d", "-1s", "1..2s", "1e99h"}) {
    EXPECT_THROW(parse_duration(bad), Failure) << bad;
  }
}

TEST(Text, numbers_for_people) {
  EXPECT_EQ(scaled(0), "0");
  EXPECT_EQ(scaled(0.25), "0.2");
  EXPECT_EQ(scaled(9999), "9999");
  EXPECT_EQ(scaled(12'345), "12.3k");
  EXPECT_EQ(scaled(1'234'567), "1.23M");
  EXPECT_EQ(scaled(18e18), "18.0E");
  EXPECT_EQ(bytes_text(512), "512 B");
  EXPECT_EQ(bytes_text(64u << 20), "64.0 MiB");
  EXPECT_EQ(bit_rate(850), "850 bit/s");
  EXPECT_EQ(bit_rate(1.2e9), "1.20 Gbit/s");
  EXPECT_EQ(percent(0.42), "42 %");
  EXPECT_EQ(duration_text(59), "59s");
  EXPECT_EQ(duration_text(200), "3m 20s");
  EXPECT_EQ(duration_text(7500), "2h 5m");
  EXPECT_EQ(duration_text(3 * 86'400 + 4 * 3600), "3d 4h");
}

TEST(Text, names_of_enums) {
  EXPECT_EQ(name_of(v1::ADMIN_STATE_DRAIN), "drain");
  EXPECT_EQ(name_of(v1::ADMIN_STATE_UNSPECIFIED), "-");
  EXPECT_EQ(name_of(v1::MODE_FULLNAT), "fullnat");
}

TEST(TableTest, columns_are_as_wide_as_needed_and_numbers_to_the_right) {
  Table table({"name", ">flows", "state"});
  table.add({"web", "7", ""});
  table.add({"a long name", "1234567", "up"});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(),
            "name           flows  state\n"
            "web                7  -\n"
            "a long name  1234567  up\n");
}

TEST(TableTest, columns_may_be_left_out_while_they_are_empty) {
  Table table({"name", "?for", "?mark"});
  table.add({"web", "", ""});
  std::ostringstream none;
  table.print(none);
  EXPECT_EQ(none.str(), "name\nweb\n");
  table.add({"shop", "", "7"});
  std::ostringstream one;
  table.print(one);
  EXPECT_EQ(one.str(), "name  mark\nweb   -\nshop  7\n");
}

TEST(TableTest, tells_what_it_leaves_out) {
  Table table({"n"});
  for (int i = 0; i < 5; ++i) {
    table.add({std::to_string(i)});
  }
  std::ostringstream out;
  table.print(out, 2);
  EXPECT_EQ(out.str(), "n\n0\n1\n... and 3 more\n");
}

TEST(ScreenTest, cuts_rows_and_columns_by_letters) {
  EXPECT_EQ(cut("abcdef\nxy\nz\n", 2, 3), "abc\nxy\n");
  EXPECT_EQ(cut("äöüß\n", 1, 2), "äö\n");
}

}  // namespace
}  // namespace nezu::cli
