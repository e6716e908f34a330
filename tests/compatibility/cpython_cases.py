"""Runs $TEST_CASES, a module of CPython's tests or one of its cases, inside a
run, and prints a line for each case: "case ID passed|skipped|failed", with the
log of a failed one before it."""

import os
import sys
import unittest

from test import support

OUT = os.fdopen(os.dup(1), "w", buffering=1)


class Result(unittest.TestResult):
    def say(self, test, word, log=""):
        name = test.id()
        if log:
            OUT.write(f"log of {name}\n{log}\nend of log\n")
        OUT.write(f"case {name} {word}\n")

    def startTest(self, test):
        super().startTest(test)
        self.failed = False

    def addSuccess(self, test):
        self.say(test, "passed")

    addExpectedFailure = addUnexpectedSuccess = lambda self, test, *_: self.say(test, "passed")

    def addSkip(self, test, reason):
        self.say(test, "skipped")

    def fail(self, test, error):
        text = self._exc_info_to_string(error, test)
        self.say(test, "failed", text[-1500:])

    addError = addFailure = lambda self, test, error: self.fail(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None and not self.failed:
            self.failed = True
            self.fail(test, error)


def main():
    support.use_resources = []
    support.verbose = False
    name = os.environ["TEST_CASES"]
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(name)
    except unittest.SkipTest as reason:
        # The module finds that what it tests does not work here.
        OUT.write(f"log of {name}\n{reason}\nend of log\ncase {name} failed\n")
    else:
        suite.run(Result())
    OUT.write("came to its end\n")
    OUT.flush()
    os._exit(0)


# multiprocessing's children import this file.
if __name__ == "__main__":
    main()
