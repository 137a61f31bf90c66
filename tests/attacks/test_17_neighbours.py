"""17. One add-on takes what is another's: its addresses, or those of aiobpy itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import aiobpy
from aiobpy import web

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target


@pytest.mark.parametrize(
    "name", ["", "..", ".", "a/b", "../api", "a b", "a%2fb", "api/v1", "a\0", "ä", "a\r\nb"]
)
def test_a_name_that_reaches_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="address"):
        web.site(name)


def test_a_site_of_another_add_on_is_not_taken_over(attack: Attack) -> None:
    async def main(target: Target) -> None:
        with aiobpy.owner("thief"), pytest.raises(ValueError, match="attacked"):
            web.site("attacked")
        assert (await target.ask("/a/attacked/")).body == b"here"

    attack(main)


def test_a_site_answers_nothing_outside_its_prefix(attack: Attack) -> None:
    async def main(target: Target) -> None:
        for path in ["/a/attacked2/", "/a/", "/a", "/a/attacke", "/attacked/", "/a/ATTACKED/"]:
            assert (await target.ask(path)).status == 404
        for path in ["/a/attacked/../../api/v1/status", "/a/attacked/%2e%2e/x"]:
            await target.ask(path)
        assert all(path.startswith("/a/attacked/") for path in target.called)

    attack(main)
