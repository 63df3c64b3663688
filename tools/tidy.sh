#!/bin/sh
# usage: tidy.sh BUILD JOBS   clang-tidy over all sources that BUILD compiles (.clang-tidy)
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
exec run-clang-tidy -quiet -p "$1" -j "$2" -extra-arg=-Wno-unknown-warning-option \
  "$PWD/(dataplane|controlplane|tools|tests|bench)/.*"
