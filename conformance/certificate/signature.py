"""Ed25519 signatures over a certificate's content hash: who made it. Needs `cryptography`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.untrusted import read_text

MOST_BYTES = 65_536
MISSING = "signatures need the package cryptography: pip install safer-gym[sign]"


def read_key(path: str | Path, kind: Literal["private", "public"]) -> Any:
    """The Ed25519 key in a PEM file without a password.

    Raises:
        FileNotFoundError, ValueError: no such file, or no such key.
        ModuleNotFoundError: `cryptography` is not installed.
    """
    primitives = _cryptography().hazmat.primitives
    read, ed25519 = primitives.serialization, primitives.asymmetric.ed25519
    content = read_text(path, MOST_BYTES).encode()
    expected = ed25519.Ed25519PrivateKey if kind == "private" else ed25519.Ed25519PublicKey
    try:
        found = (
            read.load_pem_private_key(content, password=None)
            if kind == "private"
            else read.load_pem_public_key(content)
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a PEM file of a {kind} key: {error}") from error
    if not isinstance(found, expected):
        raise ValueError(f"{path} must hold an Ed25519 {kind} key, got a {type(found).__name__}")
    return found


def signed(certificate: Certificate, private_key: Any) -> Certificate:
    """The certificate with a signature over its content hash; a later change breaks it.

    Raises:
        ValueError: the certificate has no content hash.
    """
    message = _message(certificate)
    return replace(certificate, signature=private_key.sign(message).hex())


def why_not_signed(certificate: Certificate, public_key: Any) -> str:
    """Why the certificate is not signed by the owner of a key; "" where it is."""
    if certificate.signature is None:
        return "the certificate has no signature"
    try:
        public_key.verify(bytes.fromhex(certificate.signature), _message(certificate))
    except (_cryptography().exceptions.InvalidSignature, ValueError):
        return "the signature is not that of the key's owner over this content"
    return ""


def _message(certificate: Certificate) -> bytes:
    if certificate.content_hash is None:
        raise ValueError(f"a certificate of {certificate.schema} has no content hash to sign")
    return f"{certificate.schema}:{certificate.content_hash}".encode()


def _cryptography() -> Any:
    try:
        import cryptography.exceptions
        import cryptography.hazmat.primitives.asymmetric.ed25519
        import cryptography.hazmat.primitives.serialization
    except ModuleNotFoundError:
        raise ModuleNotFoundError(MISSING) from None
    return cryptography
