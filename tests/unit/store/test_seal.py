"""Signed heads: by the vectors of the RFCs, and judged by openssl, cryptography and joserfc, which are not ours."""

from __future__ import annotations

import json
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws
from joserfc.jwk import OKPKey

from derctl.store import ed25519, seal
from derctl.store.audit import AuditFile, verified
from derctl.store.chain import Broken, Head
from derctl.store.ed25519 import Missing, good, public_of, sign
from derctl.store.exported import as_csv, as_json
from derctl.store.exported import verified as ledger_verified
from derctl.store.looked import keys_in, looked_at
from derctl.store.records import FILE as DB
from derctl.store.records import RecordFile
from derctl.store.seal import Public, Seal, checked, decoded, encoded, kid_of, opened, pem_of, token_of, vouched
from derctl.store.signer import CHANGED, FILE, Pair, Signer, first, following, read, write
from tests.unit.store.test_exported import plain

T = "2026-11-21T12:00:00.000Z"
VECTORS = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)
"""RFC 8032, 7.1: TEST 1 and TEST 3: private key, public key, message, signature."""


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key, content = bytes.fromhex(seed), bytes.fromhex(message)
    assert public_of(key).hex() == public
    assert sign(key, content).hex() == signature
    assert good(bytes.fromhex(public), content, bytes.fromhex(signature))
    assert not good(bytes.fromhex(public), content + b"x", bytes.fromhex(signature))
    assert not good(bytes.fromhex(public), content, bytes.fromhex(signature)[:-1])


def test_the_thumbprint_and_the_signature_of_rfc_8037() -> None:
    """A.3 and A.4. Its header names no key, so its text is put together here."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert kid_of(x) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    seed = decoded("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    assert encoded(public_of(seed)) == x
    content = ".".join(map(encoded, (b'{"alg":"EdDSA"}', b"Example of Ed25519 signing")))
    said = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    assert encoded(sign(seed, content.encode())) == said


@pytest.fixture
def pair() -> Pair:
    return first(T)


def token(pair: Pair, n: int = 4, hash_: str = "a" * 64, **more: Any) -> str:
    said = {"what": "ledger", "site": "demo", "chain": "ab12cd34", "n": n, "hash": hash_, "t": T, **more}
    return token_of(pair.seed, pair.public.x, said)


def by_openssl(text: str, pem: str, folder: Path) -> bool:
    """`openssl pkeyutl -verify`, on the three parts of a JWS."""
    content, _, signature = text.rpartition(".")
    (folder / "content").write_text(content)
    (folder / "signature").write_bytes(decoded(signature))
    (folder / "key.pem").write_text(pem)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"]
    files = ["-in", "content", "-sigfile", "signature"]
    return subprocess.run([*command, *files], cwd=folder, capture_output=True, check=False).returncode == 0


def test_openssl_and_cryptography_and_joserfc_take_it_and_what_was_changed_they_do_not(
    pair: Pair, tmp_path: Path
) -> None:
    text = token(pair)
    content, _, signature = text.rpartition(".")
    assert by_openssl(text, pem_of(pair.public.x), tmp_path)
    assert not by_openssl(text.replace(".", ".x", 1), pem_of(pair.public.x), tmp_path)
    Ed25519PublicKey.from_public_bytes(decoded(pair.public.x)).verify(decoded(signature), content.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": pair.public.x})
        taken = jws.deserialize_compact(text.encode(), key, algorithms=["EdDSA"])
    assert json.loads(taken.payload)["n"] == 4 and taken.headers()["kid"] == pair.public.kid == key.thumbprint()


def test_what_cryptography_signs_is_good_here() -> None:
    key = Ed25519PrivateKey.generate()
    assert good(key.public_key().public_bytes_raw(), b"content", key.sign(b"content"))


@pytest.mark.parametrize("at", range(0, 200, 7))
def test_no_flipped_letter_is_taken(pair: Pair, at: int) -> None:
    text = token(pair)
    other = "A" if text[at] != "A" else "B"
    with pytest.raises(ValueError):
        checked(Seal(token=text[:at] + other + text[at + 1 :], keys=pair.keys))


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "e30.e30.AA", encoded(b"[]") + ".e30.AA"])
def test_what_is_no_signature_is_none(pair: Pair, text: str) -> None:
    with pytest.raises(ValueError):
        checked(Seal(token=text, keys=pair.keys))


@pytest.mark.parametrize("said", [b"[]", b"{}", b'{"n": null}', b'{"n": 1, "hash": "x", "t": 1}'])
def test_what_was_signed_and_is_no_head_is_none(pair: Pair, said: bytes) -> None:
    content = f"{encoded(json.dumps({'alg': 'EdDSA', 'kid': pair.public.kid}).encode())}.{encoded(said)}"
    with pytest.raises(ValueError):
        checked(Seal(token=f"{content}.{encoded(sign(pair.seed, content.encode()))}", keys=pair.keys))


def test_a_key_vouches_for_the_next_one_and_nobody_for_a_stranger_s(pair: Pair) -> None:
    """A file says itself who signed it: only a key from elsewhere tells whether that was the site."""
    second = following(pair, "demo", T)
    third = following(second, "demo", T)
    assert vouched(third.keys, pair.public.x) == {each.x for each in third.keys}
    assert vouched(third.keys, second.public.x) == {each.x for each in third.keys[1:]}
    assert checked(Seal(token=token(third), keys=third.keys), pair.public.x).given
    stranger = first(T)
    forged = Public(x=stranger.public.x, t=T, statement=third.public.statement)
    for keys in (stranger.keys, (*third.keys, stranger.public), (*third.keys, forged)):
        assert not checked(Seal(token=token(stranger), keys=keys)).given
        with pytest.raises(ValueError, match="the key given does not vouch for it"):
            checked(Seal(token=token(stranger), keys=keys), pair.public.x)
    with pytest.raises(ValueError, match="it is not in the file"):
        checked(Seal(token=token(stranger), keys=pair.keys))


def test_a_signed_head_is_no_word_for_a_key(pair: Pair) -> None:
    """What a key signs for one purpose is not taken for another."""
    stranger = first(T)
    head = token(pair, x=stranger.public.x)
    said = Public(x=stranger.public.x, t=T, statement=head)
    assert vouched((*pair.keys, said), pair.public.x) == {pair.public.x}


def test_a_key_is_read_as_pem_and_as_in_a_jwk(pair: Pair, tmp_path: Path) -> None:
    assert seal.key_from(pem_of(pair.public.x)) == seal.key_from(f" {pair.public.x}\n") == pair.public.x
    subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", tmp_path / "other"], check=True)
    other = subprocess.run(["openssl", "pkey", "-in", tmp_path / "other", "-pubout"], capture_output=True, check=True)
    for text in (other.stdout.decode(), "AAAA", "", "?" * 43):
        with pytest.raises(ValueError):
            seal.key_from(text)


# -- the key on disk ------------------------------------------------------------------------------------------------


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path, "demo", lambda: T)


def test_the_key_is_made_once_closed_to_others_and_signs_on_after_a_restart(signer: Signer, tmp_path: Path) -> None:
    made = signer.head("ledger", "c", Head())
    path = tmp_path / FILE
    assert made is not None and path.stat().st_mode & 0o777 == 0o600
    assert [event for event, _ in signer.news] == [CHANGED]
    again = Signer(tmp_path, "demo", lambda: T)
    assert again.head("ledger", "c", Head()) == made and again.news == []
    path.chmod(0o644)
    assert Signer(tmp_path, "demo", lambda: T).head("ledger", "c", Head()) == made
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_private_key_shows_in_no_text(signer: Signer) -> None:
    signer.head("ledger", "c", Head())
    pair = read(signer.folder / FILE)
    assert encoded(pair.seed) not in f"{signer!r} {pair!r}" and repr(pair.seed) not in f"{signer!r} {pair!r}"


def test_another_key_is_taken_while_it_runs_and_said(signer: Signer, tmp_path: Path) -> None:
    signer.head("ledger", "c", Head())
    old = read(tmp_path / FILE)
    write(tmp_path / FILE, following(old, "demo", T))
    token = signer.head("ledger", "c", Head())
    assert token is not None and checked(Seal(token=token, keys=signer.keys), old.public.x).given
    assert "the one before vouches for it" in signer.news[-1][1]
    write(tmp_path / FILE, first(T))
    signer.head("ledger", "c", Head())
    assert "none vouches for it" in signer.news[-1][1]


@pytest.mark.parametrize(
    "broken", [b"", b"{}", b"x", b'{"version":9}', b'{"version":1,"d":"AAAA","keys":[]}', b"\xff" * 40]
)
def test_a_key_that_cannot_be_used_is_set_aside_and_another_made(
    signer: Signer, tmp_path: Path, broken: bytes
) -> None:
    (tmp_path / FILE).write_bytes(broken)
    assert signer.head("ledger", "c", Head()) is not None
    assert (tmp_path / f"{FILE}.unreadable").read_bytes() == broken
    assert f"kept as {FILE}.unreadable; key " in signer.news[0][1] and "no other vouches for it" in signer.news[0][1]


def test_a_first_key_is_said_to_be_one(signer: Signer, tmp_path: Path) -> None:
    """One that is made because the one before is gone is none."""
    for word in ("the site's first key ", "key "):
        assert signer.head("ledger", "c", Head()) is not None
        assert signer.news[-1][1].startswith(word)
        (tmp_path / FILE).unlink()


def test_a_private_key_of_another_public_one_is_none(signer: Signer, tmp_path: Path, pair: Pair) -> None:
    write(tmp_path / FILE, Pair(seed=first(T).seed, keys=pair.keys))
    with pytest.raises(ValueError, match="its private key is not that of its public one"):
        read(tmp_path / FILE)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Missing(ed25519.MISSING)])
def test_where_no_key_can_be_kept_or_used_records_are_unsigned_and_that_is_said_once(
    signer: Signer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*args: Any) -> None:
        raise error

    monkeypatch.setattr("derctl.store.signer.write", fails)
    assert signer.head("ledger", "c", Head()) is None and signer.head("ledger", "c", Head()) is None
    assert [event for event, _ in signer.news] == ["records_unsigned"]
    assert signer.unsigned is not None and signer.keys == ()


def test_a_python_without_that_openssl_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ed25519._crypto.cache_clear()
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    with pytest.raises(Missing):
        public_of(bytes(32))
    ed25519._crypto.cache_clear()


@pytest.mark.parametrize("call", [public_of, lambda key: sign(key, b""), lambda key: good(key, b"", bytes(64))])
def test_a_key_of_another_length_is_none(call: Callable[[bytes], Any]) -> None:
    with pytest.raises(ValueError):
        call(b"short")


# -- the ledger -----------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path, signer: Signer) -> RecordFile:
    file = RecordFile(tmp_path, 10_000_000, 1e9, signer=signer)
    file.open()
    for n in range(3):
        file.append([{key: value for key, value in plain(n).items() if key != "chain"}])
    return file


def exported(folder: Path, export: Callable[..., Any] = as_json) -> str:
    found, _, _, lines = looked_at(folder)
    return "".join(export(lines, found))


@pytest.mark.parametrize("export", [as_csv, as_json])
def test_an_exported_ledger_is_verified_by_the_key_alone(
    ledger: RecordFile, tmp_path: Path, export: Callable[..., Any]
) -> None:
    text, [key] = exported(tmp_path, export), keys_in(tmp_path)
    found = ledger_verified(text, None, key.x)
    assert found.signed is not None
    assert (found.signed.head, found.signed.given, found.signed.kid) == (ledger.head, True, key.kid)
    assert ledger_verified(text).signed is not None and not ledger_verified(text).signed.given
    with pytest.raises(Broken, match="the key given does not vouch for it"):
        ledger_verified(text, None, first(T).public.x)


def test_a_ledger_made_anew_as_a_whole_is_found_by_the_key(tmp_path: Path, ledger: RecordFile) -> None:
    """Its chain holds: only who has the key can sign it."""
    [key] = keys_in(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    forged = RecordFile(other, 10_000_000, 1e9, signer=Signer(other, "demo", lambda: T))
    forged.open()
    forged.append([plain(0, import_wh=1.0)])
    text = exported(other)
    assert ledger_verified(text).count == 1
    with pytest.raises(Broken, match="the key given does not vouch for it"):
        ledger_verified(text, None, key.x)


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("signature", "no_signature", "nobody signed it"),
        ('"what":"ledger"', '"what":"audit"', "another chain, or another site's"),
    ],
)
def test_a_signature_that_is_missing_or_of_something_else_is_found(
    ledger: RecordFile, tmp_path: Path, was: str, becomes: str, says: str
) -> None:
    whole = json.loads(exported(tmp_path))
    pair = read(tmp_path / FILE)
    said = json.dumps(opened(whole["signature"], pair.public.x), separators=(",", ":")).replace(was, becomes)
    whole["signature"] = token_of(pair.seed, pair.public.x, json.loads(said))
    text = json.dumps(whole).replace('"signature"', f'"{becomes}"') if was == "signature" else json.dumps(whole)
    with pytest.raises(Broken, match=says):
        ledger_verified(text, None, pair.public.x)


def test_an_older_signature_does_not_cover_what_came_behind_it(ledger: RecordFile, tmp_path: Path) -> None:
    old, [key] = json.loads(exported(tmp_path))["signature"], keys_in(tmp_path)
    ledger.append([plain(3)])
    whole = json.loads(exported(tmp_path)) | {"signature": old}
    assert ledger_verified(json.dumps(whole)).count == 4
    with pytest.raises(Broken, match="record 4: nobody signed it from here on"):
        ledger_verified(json.dumps(whole), None, key.x)
    whole["records"] = whole["records"][3:]
    with pytest.raises(Broken, match="record 3 was signed, and it is not in the file"):
        ledger_verified(json.dumps(whole))


def test_a_ledger_of_before_is_signed_with_its_next_interval(tmp_path: Path, signer: Signer) -> None:
    file = RecordFile(tmp_path, 10_000_000, 1e9)
    file.open()
    file.append([plain(0)])
    assert file.signed is None and looked_at(tmp_path)[0] is None
    assert ledger_verified(exported(tmp_path)).signed is None
    file.signer = signer
    file.append([plain(1)])
    file.close()
    again = RecordFile(tmp_path, 10_000_000, 1e9, signer=signer)
    again.open()
    assert again.signed is not None and checked(Seal(token=again.signed, keys=signer.keys)).head == again.head
    assert (tmp_path / DB).exists()


def test_a_key_that_was_changed_while_nobody_ran_is_said(ledger: RecordFile, tmp_path: Path) -> None:
    ledger.close()
    for pair, word in ((following(read(tmp_path / FILE), "demo", T), "before vouches"), (first(T), "none vouches")):
        write(tmp_path / FILE, pair)
        signer = Signer(tmp_path, "demo", lambda: T)
        file = RecordFile(tmp_path, 10_000_000, 1e9, signer=signer)
        file.open()
        file.append([plain(4)])
        file.close()
        assert [event for event, _ in signer.news] == [CHANGED] and word in signer.news[0][1]


# -- the audit log --------------------------------------------------------------------------------------------------


def audit(folder: Path, signer: Signer) -> AuditFile:
    file = AuditFile(folder)
    file.append([{"what": "command", "n_": n} for n in range(3)])
    sign_audit(file, signer)
    file.append([{"what": "command", "n_": 9}])
    return file


def sign_audit(file: AuditFile, signer: Signer, what: str = "audit", head: Head | None = None) -> None:
    token = signer.head(what, "", head or file.head)
    file.append([{"what": "signature", "signature": token, "keys": [each.plain for each in signer.keys]}])


def test_the_audit_log_is_signed_in_itself(tmp_path: Path, signer: Signer) -> None:
    file = audit(tmp_path, signer)
    found = verified(tmp_path, signer.keys[0].x)
    assert found.signed is not None and (found.signed.head.n, found.last.n, found.signed.given) == (3, 5, True)
    with pytest.raises(Broken, match="record 4: it is signed by the key"):
        verified(tmp_path, first(T).public.x)
    sign_audit(file, signer, head=Head(n=2, hash="b" * 64))
    with pytest.raises(Broken, match="record 6: record 2 was another one when it was signed"):
        verified(tmp_path)


def test_a_log_that_nobody_signed_says_so_where_a_key_is_given(tmp_path: Path, signer: Signer) -> None:
    file = AuditFile(tmp_path)
    file.append([{"what": "command"}])
    assert verified(tmp_path).signed is None
    with pytest.raises(Broken, match="nobody signed it"):
        verified(tmp_path, first(T).public.x)
    sign_audit(file, signer, what="ledger")
    with pytest.raises(Broken, match="record 2"):
        verified(tmp_path)
    file.append([{"what": "signature", "signature": 1}])
    with pytest.raises(Broken):
        verified(tmp_path)
