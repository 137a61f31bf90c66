"""18. Another user of the same computer reads the token, or finds it in the list of processes."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target


def test_the_token_is_readable_by_its_owner_alone(attack: Attack) -> None:
    async def main(target: Target) -> None:
        check_file(target.discovery_file, target.token)

    def check_file(file: Path | None, token: str) -> None:
        assert file is not None
        assert token in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0

    attack(main)


def test_the_token_is_no_argument_of_the_process(attack: Attack) -> None:
    async def main(target: Target) -> None:
        check_process(target.token.encode())

    def check_process(token: bytes) -> None:
        for name in ["cmdline", "environ"]:
            assert token not in Path("/proc/self", name).read_bytes()

    attack(main)
