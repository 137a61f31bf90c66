"""The fixtures of `tests/web`, for tests of the server by itself."""

from tests.web.conftest import run

__all__ = ["run"]
