"""What befalls a fleet: each strikes at random, and mends what would not mend itself."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tests.chaos.cluster import SERVERS, Cluster
from tests.chaos.places import clock_file
from tests.chaos.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.net import Net

Blow = Callable[[Stage, random.Random], None]


def kill_a_worker(stage: Stage, chance: random.Random) -> None:
    """As the kernel does when memory runs out."""
    node = stage.node(chance)
    workers = node.workers()
    if not workers:
        return
    # One that is at something, if there is one.
    worker = chance.choice([worker for worker in workers if worker["job"]] or workers)
    run = stage.run_of(node, worker)
    _send(worker["pid"], signal.SIGKILL)
    if run:
        stage.watch(run)


def freeze_a_worker(stage: Stage, chance: random.Random) -> None:
    """For so long that it is given up, or nearly."""
    workers = stage.node(chance).workers()
    if not workers:
        return
    pid = chance.choice(workers)["pid"]
    _send(pid, signal.SIGSTOP)
    stage.rest(chance.uniform(0.5, 4.0))
    _send(pid, signal.SIGCONT)


def kill_the_server(stage: Stage, chance: random.Random) -> None:
    """As a machine that loses its power; somebody starts it again at once."""
    node = stage.node(chance)
    node.kill()
    stage.rest(chance.uniform(0.0, 1.0))
    node.start()
    node.wait_until_ready()


def lose_a_node(stage: Stage, chance: random.Random) -> None:
    """As one that nobody misses but the other nodes, for longer than its lease."""
    node = stage.node(chance)
    runs = stage.running(node)
    node.kill()
    for run in runs:
        stage.watch(run)
    stage.rest(chance.uniform(6.0, 9.0))
    node.start()
    node.wait_until_ready()


def freeze_the_server(stage: Stage, chance: random.Random) -> None:
    """As a virtual machine that is moved."""
    node = stage.node(chance)
    node.process.send_signal(signal.SIGSTOP)
    stage.rest(chance.uniform(0.5, 3.0))
    node.process.send_signal(signal.SIGCONT)


def move_the_clock(stage: Stage, chance: random.Random) -> None:
    """By up to an hour either way: the calendar's, which libfaketime reads from a file."""
    file = clock_file(stage.node(chance).folder)
    file.write_text(f"{chance.randint(-3600, 3600):+d}\n")


def fill_a_disk(stage: Stage, chance: random.Random) -> None:
    """Leave no byte where a node keeps what it needs, for a while."""
    _fill(stage, chance.choice(stage.disks[: len(stage.nodes)]), chance)


def fill_a_nats_disk(stage: Stage, chance: random.Random) -> None:
    """Leave a server no byte; it gives its jobs up, and somebody makes room and starts it again."""
    cluster = _cluster(stage)
    place = chance.randrange(len(cluster))
    _fill(stage, stage.disks[len(stage.nodes) + place], chance)
    cluster.kill(place)
    cluster.start(place)


def kill_a_nats_server(stage: Stage, chance: random.Random) -> None:
    """The two others go on, and it comes back."""
    cluster = _cluster(stage)
    _kill_server(stage, chance.randrange(len(cluster)), chance)


def kill_the_nats_leader(stage: Stage, chance: random.Random) -> None:
    """The one without whom nothing is written until the others have found another."""
    leader = _cluster(stage).leader()
    if leader is not None:
        _kill_server(stage, leader, chance)


def restart_the_engine(stage: Stage, chance: random.Random) -> None:
    """All servers of NATS lose their power at the same moment."""
    cluster = _cluster(stage)
    for place in range(len(cluster)):
        cluster.kill(place)
    stage.rest(chance.uniform(0.0, 2.0))
    for place in range(len(cluster)):
        cluster.start(place)
    # Struck again before that, they would never come to anything.
    for _look in range(60):
        if cluster.leader() is not None:
            break
        stage.rest(0.5)


def freeze_a_nats_server(stage: Stage, chance: random.Random) -> None:
    """As a virtual machine that is moved, and comes back with what it believed."""
    cluster = _cluster(stage)
    place = chance.randrange(len(cluster))
    cluster.send(place, signal.SIGSTOP)
    stage.rest(chance.uniform(0.5, 6.0))
    cluster.send(place, signal.SIGCONT)


def cut_a_node_off(stage: Stage, chance: random.Random) -> None:
    """From the servers, and so from the other node: for less than its lease, or for longer."""
    name = chance.choice(_nodes_on(_net(stage)))
    _net(stage).cut(name)
    stage.rest(chance.uniform(0.5, 10.0))
    _net(stage).mend(name)


def cut_a_nats_server_off(stage: Stage, chance: random.Random) -> None:
    """From the other servers and all nodes; it may have led them."""
    name = chance.choice(SERVERS)
    _net(stage).cut(name)
    stage.rest(chance.uniform(0.5, 10.0))
    _net(stage).mend(name)


def part_the_net(stage: Stage, chance: random.Random) -> None:
    """Leave a node with one server, which the others outvote."""
    names = (chance.choice(_nodes_on(_net(stage))), chance.choice(SERVERS))
    _net(stage).part(*names)
    stage.rest(chance.uniform(2.0, 10.0))
    _net(stage).mend(*names)


def slow_the_net_down(stage: Stage, chance: random.Random) -> None:
    """As over a poor line: what is sent comes late, or not at all."""
    _net(stage).slow_down()
    stage.rest(chance.uniform(3.0, 10.0))
    _net(stage).speed_up()


ON_WORKERS: Final = (kill_a_worker, freeze_a_worker)
ON_NODES: Final = (kill_the_server, freeze_the_server)
ON_SERVERS: Final = (kill_a_nats_server, kill_the_nats_leader, freeze_a_nats_server)
ON_THE_NET: Final = (cut_a_node_off, cut_a_nats_server_off, part_the_net, slow_the_net_down)


def is_possible(blow: Blow, stage: Stage) -> bool:
    """Return whether there is what it strikes."""
    if blow in ON_THE_NET:
        return stage.net is not None
    if blow in {fill_a_disk, fill_a_nats_disk}:
        return bool(stage.disks)
    return blow is not move_the_clock or stage.has_clocks


def _fill(stage: Stage, disk: Path, chance: random.Random) -> None:
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    stage.rest(chance.uniform(0.5, 2.0))
    ballast.unlink(missing_ok=True)


def _kill_server(stage: Stage, place: int, chance: random.Random) -> None:
    _cluster(stage).kill(place)
    stage.rest(chance.uniform(0.0, 3.0))
    _cluster(stage).start(place)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _cluster(stage: Stage) -> Cluster:
    assert stage.cluster is not None
    return stage.cluster


def _net(stage: Stage) -> Net:
    assert stage.net is not None
    return stage.net


def _nodes_on(net: Net) -> list[str]:
    return [name for name in net.machines if name not in SERVERS]
