"""Machines that are network namespaces of Linux, each with a cable to a switch that can be pulled.

Needs iproute2 and the right to make namespaces, as root has it. What is slow is so by netem, or,
where the kernel has none, by a link of few bits a second whose short queue drops what is too much.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SWITCH: Final = "switch"
_ISLAND: Final = "island"
"""A second switch, without a cable to the first."""
_SLOW: Final = (
    ("netem", "delay", "50ms", "20ms", "loss", "3%"),
    ("tbf", "rate", "4mbit", "burst", "16kb", "limit", "32kb"),
)
_NEW_NETWORK: Final = 0x40000000
"""`CLONE_NEWNET` of setns(2)."""


class NoNetError(Exception):
    """This process may not, or cannot, make networks."""


@dataclass(frozen=True)
class Machine:
    """Where a process runs: in the network of all processes, or in one of its own.

    Attributes:
        address: As the other machines know it.
        namespace: The network's name; None for that of all processes.
    """

    address: str = "127.0.0.1"
    namespace: str | None = None

    def command(self, command: Sequence[str]) -> list[str]:
        """Return what starts a program there; its process is the program's own."""
        if self.namespace is None:
            return list(command)
        return ["ip", "netns", "exec", self.namespace, *command]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread be there meanwhile: a socket stays where it was made."""
        if self.namespace is None:
            yield
            return
        home = Path("/proc/thread-self/ns/net")
        with home.open() as here, (Path("/run/netns") / self.namespace).open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())


HERE: Final = Machine()


@dataclass
class Net:
    """Cables between a switch and machines.

    Attributes:
        hub: The namespace that the switch is in; machines' begin with its name.
        machines: By name.
        slowness: What makes a cable slow, for `tc qdisc`.
    """

    hub: str
    machines: dict[str, Machine] = field(default_factory=dict)
    slowness: Sequence[str] = _SLOW[0]

    def cut(self, *names: str) -> None:
        """Pull the cables of machines: nothing tells them, but nothing arrives."""
        for name in names:
            _ip("-n", self.hub, "link", "set", "dev", name, "nomaster")

    def part(self, *names: str) -> None:
        """Leave machines to each other, apart from all others."""
        for name in names:
            _ip("-n", self.hub, "link", "set", "dev", name, "master", _ISLAND)

    def mend(self, *names: str) -> None:
        """Put the cables of machines back."""
        for name in names:
            _ip("-n", self.hub, "link", "set", "dev", name, "master", _SWITCH)

    def slow_down(self) -> None:
        """Make every cable slow, and let it lose something."""
        for name in self.machines:
            _tc(self.hub, "replace", "dev", name, "root", *self.slowness)

    def speed_up(self) -> None:
        """Make every cable as good as it was."""
        for name in self.machines:
            _tc(self.hub, "del", "dev", name, "root")

    def join(self, name: str) -> None:
        """Give a machine a network of its own, and a cable to the switch."""
        space = f"{self.hub}-{name}"
        machine = Machine(f"10.77.0.{len(self.machines) + 1}", space)
        _ip("netns", "add", space)
        self.machines[name] = machine
        ends = ("type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("-n", self.hub, "link", "add", "name", name, *ends)
        _ip("-n", space, "address", "add", f"{machine.address}/24", "dev", "eth0")
        _ip("-n", space, "link", "set", "lo", "up")
        _ip("-n", space, "link", "set", "eth0", "up")
        _ip("-n", self.hub, "link", "set", "dev", name, "master", _SWITCH, "up")

    def choose_slowness(self) -> None:
        """Take netem if the kernel has it.

        Raises:
            NoNetError: It has nothing that makes a cable slow.
        """
        for slowness in _SLOW:
            self.slowness = slowness
            with contextlib.suppress(NoNetError):
                self.slow_down()
                self.speed_up()
                return
        raise NoNetError("the kernel has neither netem nor tbf")


@contextlib.contextmanager
def net(names: Sequence[str]) -> Iterator[Net]:
    """Connect machines of these names, and take all away at the end.

    Raises:
        NoNetError: It is not allowed here, or something for it is missing.
    """
    made = Net(f"aiobpy-{os.getpid()}")
    _ip("netns", "add", made.hub)
    try:
        for switch in (_SWITCH, _ISLAND):
            _ip("-n", made.hub, "link", "add", "name", switch, "type", "bridge")
            _ip("-n", made.hub, "link", "set", "dev", switch, "up")
        for name in names:
            made.join(name)
        made.choose_slowness()
        yield made
    finally:
        for name in made.machines:
            _ip("netns", "delete", f"{made.hub}-{name}")
        _ip("netns", "delete", made.hub)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _tc(namespace: str, *arguments: str) -> None:
    _run("tc", "-n", namespace, "qdisc", *arguments)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoNetError(f"there is no `{command[0]}`: it is of the package iproute2") from error
    if done.returncode:
        said = done.stderr.strip() or f"it ended with {done.returncode}"
        raise NoNetError(f"`{' '.join(command)}` said: {said}")


def _enter(network: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(network, _NEW_NETWORK):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
