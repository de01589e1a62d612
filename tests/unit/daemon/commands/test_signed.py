"""Signed commands. The keys are RFC 8037's (appendix A) and one of openssl's; the openssl program signs."""

from __future__ import annotations

import importlib
import json
import subprocess
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.rights import read, rights_of
from derctl.daemon.commands.signed import MISSING, Signed, keys_of
from derctl.daemon.log import logger
from derctl.daemon.requests import Requests
from derctl.errors import ConfigError
from derctl.site.schema import PrincipalSection
from tests.unit.daemon.commands.test_desk import NOON, House, World, command
from tests.unit.daemon.commands.test_rights import SITE

RFC_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
"""What stands before an Ed25519 private key in its PKCS #8 form (RFC 8410, 10.3)."""
BASE = "derctl/demo/house-12"
LISTED = [
    {"name": "home"},
    {
        "name": "agg",
        "keys": [
            {"id": "old", "public": RFC_X, "not_after": "2026-11-21T12:30:00Z"},
            {"id": "new", "public": RFC_X, "not_before": "2026-11-21T12:10:00Z"},
            {"id": "always", "public": RFC_X},
        ],
    },
]


def coded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def plain(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Signer:
    """openssl with a private key."""

    def __init__(self, folder: Path) -> None:
        self.key, self.text = folder / "key.der", folder / "text"
        self.key.write_bytes(PKCS8 + plain(RFC_D))

    def __call__(self, payload: bytes, **header: Any) -> str:
        head = {"alg": "Ed25519", "kid": "always"} | header
        said = f"{coded(json.dumps({k: v for k, v in head.items() if v is not None}).encode())}.{coded(payload)}"
        self.text.write_text(said)
        words = ["pkeyutl", "-sign", "-rawin", "-inkey", str(self.key), "-keyform", "DER", "-in", str(self.text)]
        done = subprocess.run(["openssl", *words], capture_output=True, check=True)
        return f"{said}.{coded(done.stdout)}"


@pytest.fixture
def signed(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.set_clock()
    return world


@pytest.fixture
def house() -> House:
    return House(Requests(lambda: 50.0))


@pytest.fixture
def desk(world: World, house: House) -> Desk:
    principals = msgspec.convert(LISTED, list[PrincipalSection])
    opened = Signed(base=BASE, clock=world.clock, keys=keys_of(principals)).opened
    return Desk(house.reach, world.clock, logger(), rights=rights_of(principals), opened=opened)


def limit(topic: str | None = f"{BASE}/cmd/agg/limit_power", **fields: Any) -> bytes:
    content = json.loads(command(p_ceiling_w=1000, **fields))
    return json.dumps(content if topic is None else content | {"topic": topic}).encode()


async def code_of(desk: Desk, payload: str | bytes, who: str = "agg", name: str = "limit_power") -> str | None:
    sent = payload.encode() if isinstance(payload, str) else payload
    code: str | None = (await desk.by_mqtt(who, name, sent, False))["code"]
    return code


async def test_the_rfc_s_own_signature_is_good_and_names_no_key(desk: Desk) -> None:
    """RFC 8037, A.4: its payload is no command, and its header has no `kid`."""
    token = (
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhij"
        "cNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    reply = await desk.by_mqtt("agg", "limit_power", token.encode(), False)
    assert (reply["code"], reply["text"]) == ("bad_signature", "its header has no kid; known are old, new, always")


@pytest.mark.parametrize("algorithm", ["Ed25519", "EdDSA"])
async def test_what_openssl_signed_is_taken_compact_and_as_json(desk: Desk, signed: Signer, algorithm: str) -> None:
    assert await code_of(desk, signed(limit(id="1"), alg=algorithm)) is None
    protected, payload, signature = signed(limit(id="2"), alg=algorithm).split(".")
    whole = {"protected": protected, "payload": payload, "signature": signature}
    assert await code_of(desk, json.dumps(whole)) is None
    assert await code_of(desk, json.dumps(whole)) == "replayed", "a signature makes no copy new"
    assert await code_of(desk, json.dumps(whole | {"header": {"kid": "old"}})) == "bad_signature"


async def test_whoever_is_refused_unread_hears_which_one_it_was(desk: Desk, signed: Signer) -> None:
    """By its own word, without a claim that this is true; what says none has none."""
    token = signed(limit(id="7"))
    for payload, retained, said in (
        (token[:-3], False, "7"),
        (limit(None, id="8").decode(), False, "8"),
        (token, True, "7"),
        (limit(None, id="8").decode(), True, "8"),
        ("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZQ.x", False, None),
        ("a.b.c", False, None),
        ("{" + " " * 40_000 + '"id": "9"}', True, None),
        ("{", False, None),
        ("[" * 9_000, True, None),
    ):
        reply = await desk.by_mqtt("agg", "limit_power", payload.encode(), retained)
        assert (reply["result"], reply["id"]) == ("refused", said)
    reply = await desk.by_mqtt("agg", "limit_power", token[:-3].encode(), False)
    assert reply["text"] in {"no good signature", "no good signature: Invalid signature"}


async def test_who_has_no_key_signs_nothing_and_who_has_one_everything(
    desk: Desk, house: House, signed: Signer
) -> None:
    assert await code_of(desk, limit(None), "home") is None
    assert await code_of(desk, limit(None)) == "bad_signature"
    assert await code_of(desk, command(id="p"), name="ping") == "bad_signature"
    assert await code_of(desk, signed(limit(f"{BASE}/cmd/home/limit_power")), "home") == "bad_json"
    assert len(house.requests.alive()) == 1


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        (f"{BASE}/cmd/agg/ping", "limit_power"),
        ("derctl/demo/house-13/cmd/agg/limit_power", "limit_power"),
        (f"{BASE}/cmd/home/limit_power", "limit_power"),
        (None, "limit_power"),
        (f"{BASE}/cmd/agg/limit_power", "clear"),
    ],
)
async def test_what_was_signed_for_another_topic_is_no_command_here(
    desk: Desk, house: House, signed: Signer, topic: str | None, name: str
) -> None:
    assert await code_of(desk, signed(limit(topic)), name=name) == "bad_signature"
    assert (house.requests.alive(), house.changes) == ((), 0)


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_one_bit_that_differs_is_enough(desk: Desk, house: House, signed: Signer, part: int) -> None:
    parts = signed(limit()).split(".")
    content = bytearray(plain(parts[part]))
    content[len(content) // 2] ^= 1
    parts[part] = coded(bytes(content))
    assert await code_of(desk, ".".join(parts)) == "bad_signature"
    assert house.requests.alive() == ()


async def test_the_header_brings_neither_another_algorithm_nor_a_key_of_its_own(desk: Desk, signed: Signer) -> None:
    for header in (
        {"alg": "none"},
        {"alg": "HS256"},
        {"jwk": {"kty": "OKP"}},
        {"crit": ["b64"], "b64": False},
        {"kid": 7},
    ):
        assert await code_of(desk, signed(limit(), **header)) == "bad_signature"
    for junk in (
        "",
        ".",
        "..",
        "a.b.c",
        "{}",
        "{",
        "[]",
        "\ud7ff",
        ".".join(["e30"] * 3),
        '{"protected": 1}',
        "{" * 4000,
    ):
        assert await code_of(desk, junk or " ") in {"bad_signature", "bad_json"}


@pytest.mark.parametrize(
    ("kid", "later_s", "code"),
    [
        ("old", 0.0, None),
        ("old", 1799.0, None),
        ("old", 1800.0, "bad_signature"),
        ("new", 599.0, "bad_signature"),
        ("new", 600.0, None),
        ("always", 1e6, None),
        ("never", 0.0, "bad_signature"),
    ],
)
async def test_keys_change_without_a_gap(
    desk: Desk, world: World, signed: Signer, kid: str, later_s: float, code: str | None
) -> None:
    world.wall_s = NOON.timestamp() + later_s
    assert await code_of(desk, signed(limit(age_s=-later_s), kid=kid)) == code


async def test_without_a_clock_what_is_signed_and_restricts_is_honoured(
    tmp_path: Path, desk: Desk, signed: Signer
) -> None:
    (tmp_path / "synced").unlink()
    assert await code_of(desk, signed(limit(), kid="new")) is None
    assert await code_of(desk, limit(id="2")) == "bad_signature"


async def test_without_the_library_nothing_is_believed_and_no_file_with_keys_is_taken(
    desk: Desk, signed: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    token, file = signed(limit()), tmp_path / "site.yaml"
    file.write_text(SITE.replace("PRINCIPAL", f"{{name: agg, keys: [{{id: k, public: {RFC_X}}}]}}"))
    read(file)
    monkeypatch.setattr(importlib, "import_module", missing)
    reply = await desk.by_mqtt("agg", "limit_power", token.encode(), False)
    assert (reply["code"], reply["text"]) == ("bad_signature", MISSING)
    with pytest.raises(ConfigError) as wrong:
        read(file)
    assert [(each.path, each.message) for each in wrong.value.problems] == [("mqtt.principals[1].keys", MISSING)]
