"""Real credentials: JWTs, and proxies of a certificate, its key and its chain. They are signed by keys made here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

#: Stands in every token: it must never be seen anywhere else.
SECRET = "who-must-not-be-named"


def token(left: timedelta | None, **claims: Any) -> str:
    """A bearer token that ends so far from now; None: it does not say when."""
    ends = {} if left is None else {"exp": datetime.now(UTC) + left}
    return jwt.encode({"sub": SECRET, "iss": "https://example.org/des", **ends, **claims}, "k" * 32)


def place(path: Path, text: str, mode: int = 0o600) -> None:
    """Put a credential where it belongs, in one step, as those who renew it do."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)


def proxy(*left: timedelta, begins: timedelta = timedelta(hours=-1), key: bool = True) -> str:
    """A proxy file: a certificate for each of the spans, ending so far from now, the private key after the first."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SECRET)])
    now = datetime.now(UTC)
    blocks = []
    for number, span in enumerate(left):
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(number + 1)
            .not_valid_before(now + min(begins, span - timedelta(hours=1)))
            .not_valid_after(now + span)
            .sign(private, hashes.SHA256())
        )
        blocks.append(certificate.public_bytes(serialization.Encoding.PEM))
    if key:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        blocks.insert(1, private.private_bytes(encoding, form, serialization.NoEncryption()))
    return b"".join(blocks).decode()
