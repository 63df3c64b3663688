#!/usr/bin/python3
"""Every test that an audit of an RFC or the page of the ways to forward names exists in the tree."""
import fnmatch
import functools
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


@functools.cache
def defined_in(folder):
    return {f"{suite}.{name}" for source in folder.rglob("*_test.cc")
            for suite, name in DEFINED.findall(source.read_text())}

# The page's tables: where the names that follow are (u: here; u/flow, p, s, property), and names.
PAGE = TESTS.parent / "dataplane/forward/README.md"
PLACES = {"u": "unit/forward", "p": "path", "s": "system", "property": "property"}
WORD = re.compile(r"(?<![\w/`])(u/\w+|u|p|s|property)(?![\w/`])|`([^`]+)`")


def wrong_in(cell):
    """What a cell names that is not there."""
    folder, suite = TESTS / PLACES["u"], None
    for place, name in WORD.findall(cell):
        if place:
            folder = TESTS / (PLACES.get(place) or f"unit/{place[2:]}")
            found = folder.is_dir()
        elif folder.name == "system":
            found = (folder / f"{name}_test.py").exists()
        elif name.endswith(".cc"):
            found = (folder / name).exists()
        elif name.startswith("tests/"):
            found = (TESTS.parent / name).exists()
        else:
            before, dot, _ = name.partition(".")
            suite, pattern = (before, name) if dot else (suite, f"{suite}.{name}")
            found = fnmatch.filter(defined_in(folder), pattern)
        if not found:
            yield place or name


class Page(unittest.TestCase):
    def test_every_test_that_a_cell_names_exists(self):
        rows = [line for line in PAGE.read_text().splitlines()
                if line.startswith("| ") and line.count("|") == 4]
        self.assertGreater(len(rows), 60)
        for row in rows:
            for cell in row.split("|")[2:4]:
                self.assertEqual([], list(wrong_in(cell)), row)

    def test_a_name_that_is_nowhere_is_seen(self):
        self.assertEqual([], list(wrong_in("u `Nat.*`, p `Sctp.*`, u/flow `TcpOneWay.*`, s `http`")))
        self.assertEqual(["Nat.Nowhere*"], list(wrong_in("p `Nat.*`, `Nat.Nowhere*`")))
        self.assertEqual(["Nowhere*"], list(wrong_in("p `Nat.Udp*`, `Nowhere*`, `Tcp*`")))
        self.assertEqual(["Crc32c.*"], list(wrong_in("u `Crc32c.*`, u/net `Crc32c.*`")))
        self.assertEqual(["nothing", "none_test.cc", "u/none"],
                         list(wrong_in("s `nothing`, p `none_test.cc`, u/none")))


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
