#!/bin/sh
# Fails when a source is not as clang-format would write it (`./run format` mends it).
"$(dirname "$0")/sources.sh" | xargs -0 -r clang-format --dry-run -Werror
