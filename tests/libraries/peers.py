"""The real servers that guides talk to: started when first asked for, ended with the tests."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.libraries.server import free_port, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.libraries.server import Command


class Peers:
    """Starts each server when a test first asks for its address."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._addresses: dict[Callable[[Path], AbstractContextManager[str]], str] = {}
        self._folder = Path(self._running.enter_context(tempfile.TemporaryDirectory()))
        # One of the servers runs as a user of its own, who has to get at its folder.
        self._folder.chmod(0o711)
        self.website_folder = self._folder / website.__name__
        self.website_folder.mkdir()

    def address(self, server: Callable[[Path], AbstractContextManager[str]]) -> str:
        """Return the address of one of the servers below."""
        if server not in self._addresses:
            folder = self._folder / server.__name__
            folder.mkdir(exist_ok=True)
            self._addresses[server] = self._running.enter_context(server(folder))
        return self._addresses[server]

    def stop(self) -> None:
        """End all servers."""
        self._running.close()


@contextmanager
def website(folder: Path) -> Iterator[str]:
    """A web server of the files in `Peers.website_folder`."""

    def command(port: int) -> Command:
        place = ("--bind", "127.0.0.1", "--directory", folder)
        return [sys.executable, "-u", "-m", "http.server", str(port), *place]

    with serving(command, "Serving HTTP", folder) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Redis, which keeps nothing on disk."""

    def command(port: int) -> Command:
        place = ("--bind", "127.0.0.1", "--port", str(port))
        return ["redis-server", *place, "--save", "", "--appendonly", "no"]

    with serving(command, "Ready to accept connections", folder) as port:
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """PostgreSQL with an empty database that everybody may write."""
    found = glob.glob("/usr/lib/postgresql/*/bin")
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed; `cargo xtask setup` installs it")
    programs = Path(max(found))
    # It refuses to run as root.
    user = _not_root("postgres")
    if user:
        shutil.chown(folder, user, user)
    data = folder / "data"
    cluster = ("--auth=trust", "--username=blender", "--encoding=UTF8", "--no-sync")
    subprocess.run(
        [programs / "initdb", *cluster, data],
        cwd=folder,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        check=True,
        stdout=subprocess.DEVNULL,
    )

    def command(port: int) -> Command:
        place = ("-D", data, "-k", folder, "-p", str(port), "-c", "listen_addresses=127.0.0.1")
        return [programs / "postgres", *place, "-F"]

    ready = "ready to accept connections"
    # Its clients may still be there: it is told not to wait for them.
    with serving(command, ready, folder, user=user, goodbye=signal.SIGINT) as port:
        yield f"postgresql://blender@127.0.0.1:{port}/postgres"


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """RabbitMQ, and the port mapper that Erlang would otherwise leave behind."""

    def port_mapper(port: int) -> Command:
        return ["epmd", "-d", "-address", "127.0.0.1", "-port", str(port)]

    def command(port: int) -> Command:
        config.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    config = folder / "rabbitmq.conf"
    with serving(port_mapper, "epmd running", folder) as port_of_mapper:
        environment = {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(port_of_mapper),
            "HOME": str(folder),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_NODENAME": "tests@localhost",
            # Then its script becomes the server, and does not stay to watch it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }
        ready = "Server startup complete"
        # It takes its time to end in order, and nobody wants its data.
        with serving(
            command, ready, folder, environment=environment, goodbye=signal.SIGKILL
        ) as port:
            yield f"amqp://guest:guest@127.0.0.1:{port}/"


@contextmanager
def nats(folder: Path) -> Iterator[str]:
    """NATS."""

    def command(port: int) -> Command:
        return ["nats-server", "--addr", "127.0.0.1", "--port", str(port)]

    with serving(command, "Server is ready", folder) as port:
        yield f"nats://127.0.0.1:{port}"


@contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    """Mosquitto, an MQTT broker, which lets everybody in; the address is `host:port`."""

    def command(port: int) -> Command:
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        return ["mosquitto", "-c", config]

    with serving(command, "running", folder, user=_not_root("nobody")) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def ngircd(folder: Path) -> Iterator[str]:
    """An IRC server; the address is `host:port`."""

    def command(port: int) -> Command:
        config = folder / "ngircd.conf"
        config.write_text(
            "[Global]\nName = irc.test\nInfo = test\nAdminEMail = nobody@irc.test\n"
            f"Listen = 127.0.0.1\nPorts = {port}\n[Options]\nDNS = no\nIdent = no\nPAM = no\n"
            # Whom it does not know well it lets wait.
            "[Limits]\nMaxPenaltyTime = 0\n"
        )
        return ["ngircd", "--nodaemon", "--config", config]

    with serving(command, " ready.", folder, user=_not_root("nobody")) as port:
        yield f"127.0.0.1:{port}"


def _not_root(user: str) -> str | None:
    """Return the user if we are root, and so could not stay ourselves."""
    return user if os.geteuid() == 0 else None
