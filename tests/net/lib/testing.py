"""How a scenario is declared: one function a claim, named by a sentence.

    @test("an access port takes no tagged frame")
    def _(lab): ...

The function gets a Lab that is not started yet.
"""
import inspect
import os

TESTS = []


class Test:
    def __init__(self, claim, function, only, timeout, slow, soak):
        self.claim = claim
        self.function = function
        self.only = only
        self.timeout = timeout
        self.slow = slow
        self.soak = soak
        self.group = os.path.basename(
            inspect.getsourcefile(function)).removeprefix(
                "test_").removesuffix(".py")

    @property
    def name(self):
        return f"{self.group}: {self.claim}"


def test(claim, only=None, timeout=120, slow=False, soak=False):
    """
    only: "vsw" where Open vSwitch has no such thing or differs by design;
    "dpdk" for what only a build in build/dpdk has.
    slow: left out of --quick.
    soak: only run with --soak, as `make soak` does: it waits for long.
    """
    def register(function):
        TESTS.append(Test(claim, function, only, timeout, slow, soak))
        return function
    return register


def equal(got, wanted, what):
    assert got == wanted, f"{what}: {got!r}, expected {wanted!r}"


def contains(text, part, what):
    assert part in text, f"{what} has no {part!r}:\n{text}"
