"""2. Hosts that are missing, doubled, or only look like loopback.

Mirrors the bypasses of Host checks by prefix or suffix, and the "0.0.0.0 day" of browsers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target

_LOOK_ALIKES = [
    "",
    "localhost",
    "localhost.:{port}",
    "localhost.evil.example:{port}",
    "127.0.0.1.nip.io:{port}",
    "0.0.0.0:{port}",
    "2130706433:{port}",
    "0x7f.1:{port}",
    "127.1:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "127.0.0.1:{port}@evil.example",
    "evil.example#127.0.0.1:{port}",
    "127.0.0.1:{other}",
]


@pytest.mark.parametrize("host", _LOOK_ALIKES)
def test_what_only_looks_like_loopback_is_refused(attack: Attack, host: str) -> None:
    async def main(target: Target) -> None:
        named = host.format(port=target.port, other=target.port + 1)
        answer = await target.ask(host=named)
        assert answer.status in {400, 421}

    attack(main)


def test_our_own_names_are_taken_in_any_case(attack: Attack) -> None:
    async def main(target: Target) -> None:
        for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"]:
            assert (await target.ask(host=f"{host}:{target.port}")).status == 200

    attack(main)


def test_a_host_that_is_missing_or_doubled_is_refused(attack: Attack) -> None:
    async def main(target: Target) -> None:
        token = f"Authorization: Bearer {target.token}\r\nConnection: close\r\n"
        host = f"Host: {target.host}\r\n"
        for hosts in ["", host + host, host + "Host: evil.example\r\n"]:
            request = f"GET /api/v1/status HTTP/1.1\r\n{hosts}{token}\r\n"
            assert b" 400 " in (await target.raw(request.encode())).split(b"\r\n")[0]

    attack(main)


def test_an_absolute_target_does_not_overrule_the_host(attack: Attack) -> None:
    async def main(target: Target) -> None:
        answer = await target.ask("http://evil.example/api/v1/status")
        assert answer.status == 421
        ours = f"http://{target.host}/api/v1/status"
        assert (await target.ask(ours, host="evil.example")).status == 421

    attack(main)
