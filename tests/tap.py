"""Runs unittest cases and reports them in the Test Anything Protocol, one line a case, for meson.

    if __name__ == "__main__":
        tap.main()
"""
import sys
import time
import unittest


class _Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def report(self, test, outcome, remark="", text=""):
        self.number += 1
        name = test.id().removeprefix("__main__.")
        print(f"{outcome} {self.number} - {name}{remark}")
        for line in text.splitlines():
            print(f"# {line}")
        print(f"# {time.monotonic() - getattr(self, 'began', time.monotonic()):.1f} s", flush=True)

    def addSuccess(self, test):
        self.report(test, "ok")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        text = self._exc_info_to_string(error, test)
        if hasattr(test, "explain"):  # what the case knows about its surroundings
            text += test.explain()
        self.report(test, "not ok", text=text)

    addError = addFailure

    def addSkip(self, test, reason):
        self.report(test, "ok", f" # SKIP {reason}")

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(subtest, error)


def main():
    """Runs all cases of the calling program, or those named on its command line."""
    loader = unittest.defaultTestLoader
    names = sys.argv[1:]
    module = sys.modules["__main__"]
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    print(f"1..{suite.countTestCases()}", flush=True)
    result = _Result()
    suite.run(result)
    sys.exit(1 if result.failures else 0)
