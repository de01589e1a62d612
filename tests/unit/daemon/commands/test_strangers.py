"""Who isn't listed gets no answer; that somebody tries is said, and ever less often."""

from __future__ import annotations

from derctl.daemon.commands.strangers import AGAIN_S, Strangers


class Ear:
    """What is told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []
        self.now_s = 0.0
        self.strangers = Strangers(lambda text: self.told.append((self.now_s, text)))

    def come(self, name: str = "guest", *, every_s: float = 1.0, times: int = 1) -> None:
        for _ in range(times):
            self.strangers.came(name, self.now_s)
            self.now_s += every_s


def test_the_first_is_said_with_its_name_and_what_to_do() -> None:
    ear = Ear()
    ear.come()
    assert ear.told == [(0.0, "'guest' is not under mqtt.principals in the site file: no answer")]


def test_a_day_of_one_each_second_is_some_thirty_lines() -> None:
    ear = Ear()
    ear.come(times=86_400)
    assert [at for at, _ in ear.told[:5]] == [0.0, 60.0, 180.0, 420.0, 900.0]
    assert len(ear.told) < 32
    at, text = ear.told[-1]
    assert f"; {at + 1:.0f} such commands so far" in text


def test_after_a_long_silence_it_is_said_soon_again() -> None:
    ear = Ear()
    ear.come(times=20_000)
    ear.now_s += 2.0 * AGAIN_S[1] + 1.0
    ear.told.clear()
    ear.come(times=61)
    assert len(ear.told) == 2


def test_a_name_is_shown_cut_and_without_its_control_characters() -> None:
    ear = Ear()
    ear.come("a\n\x1b[31m" + "x" * 60_000)
    [(_, text)] = ear.told
    assert len(text) < 150
    assert text.isprintable()
