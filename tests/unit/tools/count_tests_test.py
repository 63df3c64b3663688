#!/usr/bin/python3
"""The counter of tests must not show green what did not run."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TREE / "tools"), str(TREE / "tests")]
import count_tests  # noqa: E402
import tap  # noqa: E402


def run(name, result="OK", **said):
    return {"name": f"nezu:unit / {name}", "result": result, **said}


def suite(name, *cases):
    return f'<testsuite name="{name}">{"".join(cases)}</testsuite>'


def case(name, inside="", attributes=""):
    return f'<testcase name="{name}" {attributes}>{inside}</testcase>'


class Count(unittest.TestCase):
    def count(self, runs, *suites):
        """(exit status, last line) for one build with these reports."""
        status, lines = self.lines(runs, *suites)
        return status, lines[-1]

    def lines(self, runs, *suites):
        with tempfile.TemporaryDirectory() as folder:
            logs = pathlib.Path(folder) / "meson-logs"
            logs.mkdir()
            (logs / "testlog.json").write_text("".join(json.dumps(r) + "\n" for r in runs))
            (logs / "testlog.junit.xml").write_text(f'<testsuites>{"".join(suites)}</testsuites>')
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                status = count_tests.main([folder])
            return status, out.getvalue().splitlines()

    def test_counts_the_cases_of_all_kinds_of_runners(self):
        self.assertEqual((0, "4 passed, 0 failed"), self.count(
            [run("net"), run("tap"), run("plain")],
            suite("nezu.nezu:unit / net.Address", case("a"), case("b")), suite("nezu.nezu:unit / tap", case("c")),
            suite("nezu", case("nezu:unit / plain"))))

    def test_failed_skipped_and_disabled_cases_are_failures(self):
        self.assertEqual((1, "1 passed, 3 failed"), self.count(
            [run("net", "FAIL")],
            suite("nezu.nezu:unit / net.A", case("a"), case("b", "<failure/>"), case("c", "<skipped/>"),
                  case("d", attributes='status="notrun"'))))

    def test_a_skipped_case_of_a_green_runner_is_a_failure(self):
        self.assertEqual((1, "1 passed, 1 failed"), self.count(
            [run("net")], suite("nezu.nezu:unit / net.A", case("a"), case("b", "<skipped/>"))))

    def test_a_crashed_runner_is_a_failure_though_its_cases_passed(self):
        self.assertEqual((1, "1 passed, 1 failed"), self.count(
            [run("net", "TIMEOUT")], suite("nezu.nezu:unit / net.A", case("a"))))

    def test_a_runner_without_cases_is_a_failure(self):
        self.assertEqual((1, "0 passed, 1 failed"), self.count([run("net")]))

    def test_no_runner_and_no_report_are_failures(self):
        self.assertEqual((1, "0 passed, 1 failed"), self.count([]))
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(1, count_tests.main(["/nonexistent"]))
            self.assertEqual(1, count_tests.main([]))

    def test_says_what_the_runner_said_of_a_failed_case(self):
        said = "1..3\nok 1 - A.a\n# 1 s\nnot ok 2 - A.b\n# 4 is not 5\n# 2 s\nok 3 - A.c\n# 3 s\n"
        _, lines = self.lines([run("tap", "FAIL", stdout=said)],
                              suite("nezu.nezu:unit / tap", case("1 - A.a"), case("2 - A.b", "<failure/>"),
                                    case("3 - A.c")))
        self.assertEqual(["    nezu:unit / tap:", "    not ok 2 - A.b", "    # 4 is not 5", "    # 2 s"],
                         lines[-5:-1])

    def test_says_how_the_words_of_another_failed_runner_end(self):
        _, lines = self.lines([run("net", "FAIL", stdout="\n".join(map(str, range(90))), stderr="a crash")])
        self.assertEqual(["    88", "    89", "    a crash"], lines[-4:-1])
        self.assertNotIn("    50", lines)

    def test_a_program_that_clears_the_screen_hides_nothing(self):
        self.assertEqual((1, "1 passed, 1 failed"), self.count(
            [run("tap", "FAIL", stdout="\x1b[2J")],
            suite("nezu.nezu:unit / tap", case("a"), case("b", "<failure>\x1b[2J</failure>"))))

    def test_a_green_runner_has_no_words(self):
        _, lines = self.lines([run("net", stdout="chatter")], suite("nezu.nezu:unit / net.A", case("a")))
        self.assertEqual(2, len(lines))

    def test_a_runner_does_not_take_the_cases_of_one_with_a_longer_name(self):
        self.assertEqual((0, "2 passed, 0 failed"), self.count(
            [run("net"), run("net_more")],
            suite("nezu.nezu:unit / net.A", case("a")), suite("nezu.nezu:unit / net_more.A", case("b"))))


if __name__ == "__main__":
    tap.main()
