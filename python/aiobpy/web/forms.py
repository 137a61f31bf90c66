"""What people fill in: forms of pages, with their files."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiobpy.transfer import read_file

if TYPE_CHECKING:
    import os

    from aiobpy._native import Exchange, UploadedFile


class Field:
    """Marks a parameter that is a field of a form: `title: Annotated[str, web.Field]`."""


class Upload:
    """A file of a form: the type of a parameter of a handler, by the field's name.

    A large one is on the disk until nobody holds it any more; `save` keeps it.
    """

    def __init__(self, file: UploadedFile) -> None:
        self._file = file

    def __repr__(self) -> str:
        return f"<Upload {self.file_name!r} of {self.size} bytes>"

    @property
    def name(self) -> str:
        """Of its field."""
        return self._file.name

    @property
    def file_name(self) -> str:
        """As the client has it, without folders and without what no file's name should have."""
        return self._file.file_name

    @property
    def content_type(self) -> str:
        """As the client says."""
        return self._file.content_type

    @property
    def size(self) -> int:
        """Bytes."""
        return self._file.size

    @property
    def path(self) -> Path | None:
        """Where it is on the disk; None if it is in memory."""
        return self._file.path

    async def read(self) -> bytes:
        """Return its bytes. The disk is read off the main thread."""
        data = self._file.data
        if data is not None:
            return data
        assert self._file.path is not None
        return await read_file(self._file.path)

    async def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, in the place of one that is there, off the main thread.

        Raises:
            OSError: It cannot be written.
        """
        data = self._file.data
        if data is not None:
            await asyncio.to_thread(Path(path).write_bytes, data)
        else:
            assert self._file.path is not None
            await asyncio.to_thread(shutil.copyfile, self._file.path, path)


class Form:
    """All that was filled in: the type of a parameter of a handler.

    Attributes:
        fields: Names and texts, in their order.
        uploads: The files.
    """

    is_form = True

    def __init__(self, exchange: Exchange) -> None:
        self.fields, files = exchange.form or ([], [])
        self.uploads = [Upload(file) for file in files]

    def __getitem__(self, name: str) -> str:
        """Return the first text of a field.

        Raises:
            KeyError: It was not sent.
        """
        for field, text in self.fields:
            if field == name:
                return text
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first text of a field, or something else if it was not sent."""
        return next((text for field, text in self.fields if field == name), default)
