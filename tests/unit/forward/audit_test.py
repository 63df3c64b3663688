#!/usr/bin/python3
"""Every test that an audit of an RFC names exists: `Suite.Test` in RFC*.md is a TEST of the tree."""
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parents[1]
sys.path.insert(0, str(TESTS))
import tap  # noqa: E402

NAMED = re.compile(r"`([A-Z]\w*\.[A-Z]\w*)`(?: \((tests/\w+(?:/\w+)*)\))?")
DEFINED = re.compile(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", re.MULTILINE)


def defined_in(folder):
    return {f"{suite}.{name}" for source in folder.rglob("*_test.cc")
            for suite, name in DEFINED.findall(source.read_text())}


class Audit(unittest.TestCase):
    def test_every_test_that_is_named_exists(self):
        here, everywhere = defined_in(HERE), defined_in(TESTS)
        for page in sorted(HERE.glob("RFC*.md")):
            named = NAMED.findall(page.read_text())
            self.assertGreater(len(named), 20, page.name)
            for name, _ in named:
                self.assertTrue(name in everywhere, f"{page.name} names {name}, which is nowhere")
            self.assertTrue(any(name in here for name, _ in named))

    def test_every_line_shows_or_says_why_not(self):
        for page in sorted(HERE.glob("RFC*.md")):
            for line in page.read_text().splitlines():
                if line.startswith("|") and "---" not in line:
                    self.assertNotRegex(line, r"\|\s*\|", f"{page.name}: an empty cell")


if __name__ == "__main__":
    tap.main()
