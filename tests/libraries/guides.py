"""The code on the pages of `docs/guides`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "docs" / "guides"


def names() -> list[str]:
    """Return the names of all guides."""
    return sorted(page.stem for page in FOLDER.glob("*.md") if page.stem != "README")


def code(name: str, language: str = "python") -> str:
    """Return the code of a guide in a language, with the line numbers of its page."""
    lines = (FOLDER / f"{name}.md").read_text().splitlines()
    inside = False
    kept = []
    for line in lines:
        fence = re.fullmatch(r"```(\w*)", line)
        if fence:
            inside = fence.group(1) == language
        kept.append(line if inside and not fence else "")
    return "\n".join(kept) + "\n"
