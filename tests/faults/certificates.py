"""Certificates of our own, made with `openssl`: of an authority that `mon` is told to trust, and of one that it is not.

`mon` trusts what the machine trusts. Where `SSL_CERT_FILE` names another file of authorities, OpenSSL reads that, and
so does `mon`: the variable is set before it starts.
"""

from __future__ import annotations

import ssl
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

RIGHT, WRONG, EXPIRED = "right", "wrong", "expired"
KINDS: Final = (RIGHT, WRONG, EXPIRED)
# Python 3.13 asks for the extensions that the standard asks for.
_EXTENSIONS: Final = "subjectAltName=IP:127.0.0.1,DNS:localhost\nauthorityKeyIdentifier=keyid\n"


def make(folder: Path) -> Path:
    """Make them all; returns the file of the authority that is to be trusted."""
    for name in ("trusted", "foreign"):
        _openssl(
            folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name} authority of tests",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
    (folder / "extensions.cnf").write_text(_EXTENSIONS, encoding="utf-8")
    for kind in KINDS:
        _openssl(
            folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{kind}.key", "-out", f"{kind}.csr", "-subj", "/CN=127.0.0.1",
        )  # fmt: skip
        authority = "foreign" if kind == WRONG else "trusted"
        # A certificate that ended before it began is what `-days` can make; who checks it finds it expired.
        days = "-1" if kind == EXPIRED else "2"
        _openssl(
            folder, "x509", "-req", "-in", f"{kind}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
            "-CAcreateserial", "-days", days, "-extfile", "extensions.cnf", "-out", f"{kind}.pem",
        )  # fmt: skip
    return folder / "trusted.pem"


@cache
def folder() -> Path:
    """A folder with all of them, made once in a process."""
    made = Path(mkdtemp(prefix="mon-faults-tls-"))
    make(made)
    return made


def context(kind: str, where: Path) -> ssl.SSLContext:
    """What a server shows."""
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(where / f"{kind}.pem", where / f"{kind}.key")
    return shown


def _openssl(where: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=where, check=True, capture_output=True, timeout=60)
