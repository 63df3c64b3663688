#!/bin/sh
# All C++ sources of the tree, separated by NUL; works outside git too.
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
exec find "$PWD/dataplane" "$PWD/controlplane" "$PWD/tools" "$PWD/tests" "$PWD/bench" \
  -name build -prune -o \( -name '*.cc' -o -name '*.h' \) -type f -print0
