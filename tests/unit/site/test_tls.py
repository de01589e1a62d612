"""A bus over Modbus/TCP Security in the site file: its files, its name, its port."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from derctl.errors import Problem
from derctl.site import Site, place_at, place_of
from hil import certificates

Small = Callable[..., str]
Build = Callable[[str], Site]
Refused = Callable[[str], tuple[Problem, ...]]
TCP = "tcp: {host: pv.example}"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    certificates.make(folder)
    return folder


def row(folder: Path, name: str = "operator", more: str = "") -> tuple[str, str]:
    own = f"cert_file: {folder}/{name}.pem, key_file: {folder}/{name}.key"
    return TCP, f"tls: {{host: pv.example, ca_file: {folder}/ca.pem, {own}{more}}}"


def asked(site: Site) -> list[tuple[str, str]]:
    return [(each.path, each.message) for each in site.questions if each.path.startswith("buses")]


def test_a_bus_over_tls_leads_to_port_802_and_asks_nothing(small: Small, site_of: Build, papers: Path) -> None:
    site = site_of(small(row(papers)))
    place = place_of(site.file.buses[0])
    assert (place.key, place.name, asked(site)) == ("tls", "tls://pv.example:802", [])


def test_the_same_server_with_and_without_tls_is_one_place(small: Small, problems_of: Refused, papers: Path) -> None:
    tcp, tls = row(papers, more=", port: 1802")
    both = small((tcp, f"{tls}}}\n  - {{id: two, tcp: {{host: PV.example, port: 1802}}"))
    assert [(each.path, each.message) for each in problems_of(both)] == [
        ("buses[1].tcp", "same endpoint as bus 'lan': use one bus")
    ]


@pytest.mark.parametrize(
    ("name", "key", "says"),
    [
        ("client_expired", "cert_file", "expired on 20"),
        ("client_ends_soon", "cert_file", ": get a new one before"),
        ("server_early", "cert_file", "and the clock here says 20"),
        ("missing", "cert_file", "there is no such file; without it nothing on bus 'lan' is reached"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_asked_before_a_device_says_it(
    small: Small, site_of: Build, papers: Path, name: str, key: str, says: str
) -> None:
    (path, message), *_ = asked(site_of(small(row(papers, name))))
    assert path == f"buses[0].tls.{key}"
    assert says in message


def test_a_key_of_another_certificate_is_asked_about(
    small: Small, site_of: Build, papers: Path, tmp_path: Path
) -> None:
    for source, target in (("ca.pem", "ca.pem"), ("operator.pem", "own.pem"), ("viewer.key", "own.key")):
        shutil.copy(papers / source, tmp_path / target)
    [(path, message)] = asked(site_of(small(row(tmp_path, "own"))))
    assert path == "buses[0].tls.cert_file"
    assert "key_file is not the key of this certificate; without it nothing on bus 'lan' is reached" in message


@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_key_that_everyone_can_read_is_refused(
    small: Small, site_of: Build, problems_of: Refused, papers: Path, tmp_path: Path, mode: int, refused: bool
) -> None:
    for name in ("ca.pem", "operator.pem", "operator.key"):
        shutil.copy(papers / name, tmp_path / name)
    (tmp_path / "operator.key").chmod(mode)
    text = small(row(tmp_path))
    if not refused:
        assert asked(site_of(text)) == []
        return
    [problem] = problems_of(text)
    assert problem.path == "buses[0].tls.key_file"
    assert "open to everyone (mode 644); chmod 640 or stricter" in problem.message


@pytest.mark.parametrize(
    ("more", "path", "says"),
    [
        (", server_name: 'https://pv'", "buses[0].tls.server_name", "is a URL"),
        (", verify: false", "buses[0].tls.verify", "host, port, ca_file, cert_file, key_file, server_name"),
    ],
)
def test_a_name_that_is_none_and_a_wish_not_to_verify_are_refused(
    small: Small, problems_of: Refused, papers: Path, more: str, path: str, says: str
) -> None:
    [problem] = problems_of(small(row(papers, more=more)))
    assert (problem.path, says in problem.message) == (path, True)


def test_a_file_by_half_its_path_is_refused(small: Small, problems_of: Refused) -> None:
    tls = "tls: {host: a, ca_file: ca.pem, cert_file: /a.pem, key_file: /a.key}"
    [problem] = problems_of(small((TCP, tls)))
    assert (problem.path, "the whole path" in problem.message) == ("buses[0].tls.ca_file", True)


@pytest.mark.parametrize(
    ("wire", "path", "says"),
    [
        ("tcp: {host: pv.example, port: 802}", "buses[0].tcp.port", "802 is the port for TLS"),
        ("tls", "buses[0].tls.port", "502 is the port without TLS"),
    ],
)
def test_a_port_that_is_usual_for_the_other_wire_is_asked_about(
    small: Small, site_of: Build, papers: Path, wire: str, path: str, says: str
) -> None:
    text = small(row(papers, more=", port: 502")) if wire == "tls" else small((TCP, wire))
    [(found, message)] = asked(site_of(text))
    assert (found, says in message) == (path, True)


@pytest.mark.parametrize(
    ("word", "host", "port"),
    [
        ("tls://pv.example", "pv.example", 802),
        ("tls://10.0.0.5:1802", "10.0.0.5", 1802),
        ("tls://[fe80::1]", "fe80::1", 802),
    ],
)
def test_a_word_of_the_command_line_names_a_place_over_tls(word: str, host: str, port: int) -> None:
    place = place_at(word)
    assert (place.key, getattr(place.section, "host", ""), getattr(place.section, "port", 0)) == ("tls", host, port)
    assert place_at(place.name).section == place.section


@pytest.mark.parametrize("word", ["tls://", "tls://a:b", "tls://a:0"])
def test_a_word_that_names_no_place_over_tls_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="is no HOST"):
        place_at(word)
