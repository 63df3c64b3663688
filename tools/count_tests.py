#!/usr/bin/python3
"""usage: count_tests.py BUILD...   counts test cases from meson's machine-readable reports.

Prints what failed with what its runner said of it and, as its last line, `N passed, N failed`. A
skipped or disabled test counts as failed, so does a runner that crashed, timed out, or ran no case at
all: nothing is green that did not run. The exit status is 0 only if something ran and nothing failed.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml


LONGEST = 25  # lines of what a failed runner said


def cases_by_runner(report):
    """Runner name -> [(case, failed)] from the JUnit report of all runners of one build."""
    cases = {}
    # Programs may say what no XML holds: to clear the screen, for one.
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", report.read_text(errors="replace"))
    for suite in xml.fromstring(text).findall("testsuite"):
        project, _, runner = suite.get("name").partition(".")
        for case in suite.findall("testcase"):
            failed = (case.get("status") == "notrun"
                      or any(case.find(tag) is not None for tag in ("failure", "error", "skipped")))
            # A runner without cases of its own is itself a case of the project's suite.
            cases.setdefault(runner or case.get("name"), []).append((case.get("name"), failed))
    return cases


def cases_of(runner, cases):
    """Those of one runner; a gtest runner's suites are called `runner.Suite`."""
    return [case for name, listed in cases.items() for case in listed
            if name == runner or name.startswith(runner + ".")]


def words_of(run):
    """What a failed runner said: of TAP how the remarks on what was not ok begin, else its end."""
    said = [line.rstrip() for line in run.get("stdout", "").splitlines()]
    parts = re.split(r"^(?=(?:not )?ok )", "\n".join(said), flags=re.MULTILINE)
    bad = [line for part in parts if part.startswith("not ok ")
           for line in part.splitlines()[:LONGEST]]
    return bad or (said + run.get("stderr", "").splitlines())[-LONGEST:]


def count(build):
    """(passed, names of the failed, their runners' words) of one build."""
    logs = pathlib.Path(build) / "meson-logs"
    try:
        runs = [json.loads(line) for line in open(logs / "testlog.json")]
        cases = cases_by_runner(logs / "testlog.junit.xml")
    except (OSError, ValueError, xml.ParseError) as error:
        return 0, [f"no test report: {error}"], []
    passed, failed, words = 0, [] if runs else ["no test ran"], []
    for run in runs:
        name = run["name"]
        own = cases_of(name, cases)
        bad = [f"{name}: {case}" for case, case_failed in own if case_failed]
        passed += len(own) - len(bad)
        if run["result"] != "OK" and not bad:
            bad = [f"{name}: {run['result']}"]
        elif not own:
            bad = [f"{name}: no test case ran"]
        failed += bad
        if bad:
            words += [f"{name}:"] + words_of(run)
    return passed, failed, words


def main(builds):
    passed, failed = 0, 0
    for build in builds:
        build_passed, build_failed, words = count(build)
        print(f"{build}: {build_passed} passed, {len(build_failed)} failed")
        for name in build_failed:
            print(f"  FAILED {name}")
        for line in words:
            print(f"    {line}")
        passed += build_passed
        failed += len(build_failed)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
