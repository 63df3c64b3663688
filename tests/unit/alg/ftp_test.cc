#include "dataplane/alg/ftp.h"

#include <gtest/gtest.h>

#include <string>

namespace nezu::alg {
namespace {

using Kind = FtpLine::Kind;

net::Address address(std::string_view text) { return *net::parse_address(text); }
std::string region(std::string_view line, const FtpLine& read) {
  return std::string(line.substr(read.begin, read.end - read.begin));
}
std::string written(FtpForm form, std::string_view whose, uint16_t port, char delimiter = '|') {
  char text[kMostFtpText];
  return std::string(text, write_ftp(form, delimiter, address(whose), port, text));
}

TEST(FtpCommand, Port) {
  for (const std::string_view line :
       {"PORT 192,0,2,7,156,64", "port  192,0,2,7,156,64", "PoRt 192,0,2,7,156,64"}) {
    const FtpLine read = read_ftp_command(line);
    ASSERT_EQ(read.kind, Kind::active) << line;
    EXPECT_EQ(read.address, address("192.0.2.7"));
    EXPECT_EQ(read.port, 40000);
    EXPECT_EQ(region(line, read), "192,0,2,7,156,64");
  }
}

TEST(FtpCommand, Eprt) {
  for (const std::string_view line : {"EPRT |1|192.0.2.7|40000|", "eprt #1#192.0.2.7#40000#"}) {
    const FtpLine read = read_ftp_command(line);
    ASSERT_EQ(read.kind, Kind::active) << line;
    EXPECT_TRUE(read.is_extended);
    EXPECT_EQ(read.address, address("192.0.2.7"));
    EXPECT_EQ(read.port, 40000);
    EXPECT_EQ(region(line, read), line.substr(5));
  }
  const FtpLine wide = read_ftp_command("EPRT |2|2001:db8::7|40000|");
  EXPECT_EQ(wide.kind, Kind::active);
  EXPECT_EQ(wide.address, address("2001:db8::7"));
}

TEST(FtpCommand, Passive) {
  EXPECT_EQ(read_ftp_command("PASV").kind, Kind::passive);
  EXPECT_EQ(read_ftp_command("pasv ").kind, Kind::passive);
  EXPECT_EQ(read_ftp_command("EPSV").kind, Kind::extended);
  EXPECT_EQ(read_ftp_command("EPSV 2").kind, Kind::extended);
  EXPECT_EQ(read_ftp_command("epsv all").kind, Kind::all);
}

TEST(FtpCommand, WhatMakesNoSense) {
  for (const std::string_view line :
       {"PORT", "PORT 1,2,3,4,5", "PORT 1,2,3,4,5,256", "PORT 1,2,3,4,5,6,7", "PORT 1,2,3,4,5,6 x",
        "PORT ,2,3,4,5,6", "PORT 1111111,2,3,4,5,6", "EPRT", "EPRT |", "EPRT |1|", "EPRT |1|x|1|",
        "EPRT |2|192.0.2.7|40000|", "EPRT |1|192.0.2.7|65536|", "EPRT |1|192.0.2.7|1",
        "EPRT  1 192.0.2.7 40000 "}) {
    EXPECT_EQ(read_ftp_command(line).kind, Kind::broken) << line;
  }
  for (const std::string_view line :
       {"", "P", "PORTS 1,2,3,4,5,6", "RETR PORT 1,2,3,4,5,6", "PASVX"}) {
    EXPECT_EQ(read_ftp_command(line).kind, Kind::other) << line;
  }
}

TEST(FtpReply, Passive) {
  for (const std::string_view line :
       {"227 Entering Passive Mode (10,0,1,5,156,64).", "227 =10,0,1,5,156,64",
        "227 Entering Passive Mode 10,0,1,5,156,64"}) {
    const FtpLine read = read_ftp_reply(line);
    ASSERT_EQ(read.kind, Kind::waits) << line;
    EXPECT_EQ(read.address, address("10.0.1.5"));
    EXPECT_EQ(read.port, 40000);
    EXPECT_EQ(region(line, read), "10,0,1,5,156,64");
  }
  EXPECT_EQ(read_ftp_reply("227 Entering Passive Mode").kind, Kind::broken);
  EXPECT_EQ(read_ftp_reply("227-10,0,1,5,156,64").kind, Kind::other);
}

TEST(FtpReply, Extended) {
  const std::string_view line = "229 Entering Extended Passive Mode (|||40000|)";
  const FtpLine read = read_ftp_reply(line);
  ASSERT_EQ(read.kind, Kind::waits_here);
  EXPECT_EQ(read.port, 40000);
  EXPECT_EQ(region(line, read), "40000");
  for (const std::string_view bad : {"229 x", "229 (", "229 (|||)", "229 (|||40000",
                                     "229 (|||99999|)", "229 (|!|40000|)", "229 (111400001)"}) {
    EXPECT_EQ(read_ftp_reply(bad).kind, Kind::broken) << bad;
  }
  EXPECT_EQ(read_ftp_reply("234 Proceed with negotiation.").kind, Kind::secured);
  EXPECT_EQ(read_ftp_reply("230 Login successful.").kind, Kind::other);
}

TEST(FtpBegun, MayMatter) {
  for (const std::string_view text : {"P", "po", "PORT", "PORT 1,2", "EPS", "E"}) {
    EXPECT_TRUE(may_matter(text, true)) << text;
  }
  for (const std::string_view text : {"R", "PA S", "PWD", "227"}) {
    EXPECT_FALSE(may_matter(text, true)) << text;
  }
  EXPECT_TRUE(may_matter("2", false));
  EXPECT_TRUE(may_matter("227 Ent", false));
  EXPECT_FALSE(may_matter("220", false));
  EXPECT_FALSE(may_matter("227-", false));
}

TEST(FtpWriter, EveryForm) {
  EXPECT_EQ(written(FtpForm::numbers, "192.0.2.7", 40000), "192,0,2,7,156,64");
  EXPECT_EQ(written(FtpForm::triple, "192.0.2.7", 40000, '#'), "#1#192.0.2.7#40000#");
  EXPECT_EQ(written(FtpForm::triple, "2001:db8::7", 1024), "|2|2001:db8::7|1024|");
  EXPECT_EQ(written(FtpForm::port, "::", 40000), "40000");
  EXPECT_EQ(written(FtpForm::port_line, "192.0.2.7", 40000), "PORT 192,0,2,7,156,64");
  EXPECT_EQ(written(FtpForm::eprt_line, "fd00::1", 40000), "EPRT |2|fd00::1|40000|");
  EXPECT_EQ(written(FtpForm::waits_line, "192.0.2.7", 40000),
            "227 Entering Passive Mode (192,0,2,7,156,64).");
  EXPECT_EQ(written(FtpForm::waits_here_line, "::", 40000),
            "229 Entering Extended Passive Mode (|||40000|)");
}

TEST(FtpWriter, Ipv6AddressesAreReadAsTheyAreWritten) {
  for (const std::string_view text :
       {"::", "::1", "1::", "2001:db8::1:0:0:1", "1:2:3:4:5:6:7:8", "1:0:0:4::", "fe80::abcd:0:1",
        "1:0:3:0:5:0:7:0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    const std::string line = "EPRT " + written(FtpForm::triple, text, 65535);
    EXPECT_LE(line.size(), kMostFtpText);
    const FtpLine read = read_ftp_command(line);
    EXPECT_EQ(read.kind, Kind::active) << line;
    EXPECT_EQ(read.address, address(text)) << line;
  }
}

}  // namespace
}  // namespace nezu::alg
