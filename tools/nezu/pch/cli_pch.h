// Precompiled for every command: CLI11 costs most of their compile time.
#ifndef NEZU_TOOLS_NEZU_PCH_CLI_PCH_H_
#define NEZU_TOOLS_NEZU_PCH_CLI_PCH_H_

#include <google/protobuf/message.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#endif  // NEZU_TOOLS_NEZU_PCH_CLI_PCH_H_
