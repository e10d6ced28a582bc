"""The content hash and the signature: what was changed is refused when it is read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from forged_certificates import true_certificates
from sample_certificates import sample
from typer.testing import CliRunner

from safer_gym.conformance.certificate import Certificate, signature
from safer_gym.conformance.certificate.seal import SCHEMA, UNSEALED, content_hash
from safer_gym.conformance.certificate.signature import read_key, signed, why_not_signed
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.cli.main import app


def sealed() -> Certificate:
    return Certificate.from_json(sample()).sealed()


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_a_sealed_certificate_is_read_and_is_the_same(tmp_path: Path) -> None:
    sealed().save(tmp_path / "certificate.json")
    assert Certificate.load(tmp_path / "certificate.json") == sealed()
    assert (sealed().schema, sealed().why_broken) == (SCHEMA, "")


def test_the_hash_is_one_of_the_content_and_not_of_its_layout(tmp_path: Path) -> None:
    path, data = tmp_path / "certificate.json", sealed().to_json()
    path.write_text(json.dumps(dict(reversed(data.items())), indent=7))
    assert Certificate.load(path) == sealed()
    assert content_hash({"b": 0.1, "a": "ä"}) == content_hash({"a": "ä", "b": 0.1})
    assert content_hash({"a": 1}) != content_hash({"a": 1.0})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"limit": 6.0}, "changed after it was made"),
        ({"created": "yesterday"}, "changed after it was made"),
        ({"content_hash": None}, "carries no content hash"),
        ({"content_hash": "0" * 64}, "changed after it was made"),
    ],
)
def test_a_changed_certificate_is_not_read(change: dict, words: str, tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    replace(sealed(), **change).save(path)
    with pytest.raises(ValueError, match=words):
        Certificate.load(path)
    assert words in Certificate.load(path, changed=True).why_broken


def test_the_schema_before_has_no_hash_and_is_still_read(tmp_path: Path) -> None:
    old = Certificate.from_json(sample())
    assert (old.schema, old.why_broken, old.to_json()) == (UNSEALED, "", sample())
    old.save(tmp_path / "old.json")
    code, said = run("verify", tmp_path / "old.json")
    assert (code, "carries no content hash: nothing shows that it was not changed" in said) == (
        1,
        True,
    )
    with pytest.raises(ValueError, match="has no content_hash"):
        Certificate.from_json({**sealed().to_json(), "schema": UNSEALED})
    with pytest.raises(ValueError, match="no content hash to sign"):
        signed(old, None)


def test_a_true_certificate_that_lost_its_hash_is_not_verified() -> None:
    whole = true_certificates()["passes"]
    bare = {k: v for k, v in whole.items() if k not in ("content_hash", "signature")}
    (told,) = verify(Certificate.from_json({**bare, "schema": UNSEALED}))
    assert "carries no content hash" in told
    assert verify(Certificate.from_json(whole)) == ()


def keys(folder: Path) -> tuple[Path, Path]:
    """A new key pair in two PEM files."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private, pem = Ed25519PrivateKey.generate(), serialization.Encoding.PEM
    folder.mkdir()
    (folder / "private.pem").write_bytes(
        private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "public.pem").write_bytes(
        private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return folder / "private.pem", folder / "public.pem"


def test_a_signature_is_of_its_key_and_of_its_content(tmp_path: Path) -> None:
    (private, public), (_, other) = keys(tmp_path / "own"), keys(tmp_path / "other")
    ours, theirs = read_key(public, "public"), read_key(other, "public")
    certificate = signed(sealed(), read_key(private, "private"))
    assert certificate.why_broken == why_not_signed(certificate, ours) == ""
    assert "not that of the key's owner" in why_not_signed(certificate, theirs)
    assert "no signature" in why_not_signed(sealed(), ours)
    # Whoever computes the hash again does not have the key.
    forged = replace(certificate, limit=6.0)
    forged = replace(forged.sealed(), signature=certificate.signature)
    assert forged.why_broken == ""
    assert "not that of the key's owner" in why_not_signed(forged, ours)
    nonsense = replace(certificate, signature="no digits")
    assert "not that of the key's owner" in why_not_signed(nonsense, ours)


def test_the_shell_demands_a_signature(tmp_path: Path) -> None:
    private, public = keys(tmp_path / "own")
    signed(sealed(), read_key(private, "private")).save(tmp_path / "signed.json")
    sealed().save(tmp_path / "bare.json")
    assert "signature" not in run("verify", tmp_path / "signed.json", "--public-key", public)[1]
    code, said = run("verify", tmp_path / "bare.json", "--public-key", public)
    assert (code, "wrong: the certificate has no signature" in said) == (1, True)
    code, said = run("verify", tmp_path / "bare.json", "--public-key", private)
    assert (code, "is not a PEM file of a public key" in said) == (3, True)


def test_without_the_package_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install safer-gym\[sign\]"):
        signature.read_key(tmp_path / "key.pem", "private")
