#!/bin/sh
# usage: man_test.sh NEZU NEZU.1   the man page is clean and names every command and option (TAP).
nezu=$1
page=$2
echo 1..2

warnings=$(groff -man -ww -Tutf8 -z "$page" 2>&1)
if [ -z "$warnings" ]; then
  echo "ok 1 - groff has no warning"
else
  echo "not ok 1 - groff has no warning"
  echo "$warnings" | sed 's/^/# /'
fi

# As it reads: without groff's escapes.
text=$(sed -e 's/\\-/-/g' -e 's/\\f[RIBP]//g' -e 's/"//g' "$page")
missing=
expect() { # WORD COMMAND
  printf '%s\n' "$text" | grep -qE -- "(^|[^a-z-])$1([^a-z-]|\$)" || missing="$missing $2:$1"
}
commands() { "$nezu" "$@" --help | sed -n '/^Subcommands:/,$p' | sed -n 's/^  \([a-z-]*\).*/\1/p'; }
options() { "$nezu" "$@" --help | grep -oE '^  [^ ].*' | grep -oE -- '--[a-z-]+'; }
for option in $(options); do expect "$option" nezu; done
for command in $(commands); do
  expect "$command" nezu
  for option in $(options "$command"); do expect "$option" "$command"; done
  for inner in $(commands "$command"); do
    expect "$inner" "$command"
    for option in $(options "$command" "$inner"); do expect "$option" "$command $inner"; done
  done
done
if [ -z "$missing" ]; then
  echo "ok 2 - every command and option is in the page"
else
  echo "not ok 2 - every command and option is in the page"
  echo "# missing:$missing"
fi
