"""A certificate of a private authority, as one would have made for the local network."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_EXTENSIONS = """\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
"""


def make(folder: Path, name: str = "server") -> tuple[Path, Path]:
    """Return the PEM files of a chain and of its key; the authority is in `{name}-ca.pem`."""
    chain, key = folder / f"{name}-chain.pem", folder / f"{name}-key.pem"
    ca = f"{name}-ca"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl(
        folder,
        *["req", "-x509", *curve, "-days", "90", "-subj", "/CN=A private authority"],
        *["-keyout", f"{ca}-key.pem", "-out", f"{ca}.pem"],
    )
    request = ["-keyout", key.name, "-out", f"{name}.csr", "-subj", f"/CN={name}"]
    _openssl(folder, "req", *curve, *request)
    (folder / "extensions").write_text(_EXTENSIONS)
    _openssl(
        folder,
        *["x509", "-req", "-in", f"{name}.csr", "-days", "30", "-extfile", "extensions"],
        *["-CA", f"{ca}.pem", "-CAkey", f"{ca}-key.pem", "-CAcreateserial", "-out", f"{name}.pem"],
    )
    chain.write_text((folder / f"{name}.pem").read_text() + (folder / f"{ca}.pem").read_text())
    return chain, key


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
