"""unittest that speaks TAP, the protocol in which meson reads each test of a file by its name."""
import re
import sys
import unittest


class _Result(unittest.TestResult):
    def __init__(self, names):
        super().__init__()
        self.names, self.count, self.failed_subtest = names, 0, {}

    def _say(self, ok, test, more=''):
        self.count += 1
        print(f'{"ok" if ok else "not ok"} {self.count} - {self.names(test)}{more}', flush=True)

    def _fail(self, test, err):
        self._say(False, test)
        for line in self._exc_info_to_string(err, test).splitlines():  # less unittest's own frames
            print(f'# {line}', flush=True)

    def addSuccess(self, test):
        if test not in self.failed_subtest:
            self._say(True, test)

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._say(True, test, f' # SKIP {reason}')

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.failed_subtest[test] = True
            self._fail(subtest, err)


def _name(test):
    """Class and test; of a class that failed or was skipped as a whole, its name."""
    whole = re.fullmatch(r'\w+ \(__main__\.(\w+)\)', test.id())
    return whole[1] if whole else test.id().removeprefix('__main__.')


def main():
    """Runs the tests of the calling script, or those named on the command line."""
    module = sys.modules['__main__']
    loader = unittest.defaultTestLoader
    suite = (loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:]
             else loader.loadTestsFromModule(module))
    result = _Result(_name)
    suite.run(result)
    print(f'1..{result.count}', flush=True)
    sys.exit(0 if result.wasSuccessful() and result.count else 1)
