"""docs/states.md is what the tables of the state machines give."""

from derctl.daemon.arming import TABLE
from tests.laws.test_workplace import ROOT
from tools.states import ANY, FREE, Machine, arming_machine, arrows, binding_machine, page, trouble_machine


def test_the_page_is_what_the_tables_give() -> None:
    written = (ROOT / "docs" / "states.md").read_text(encoding="utf-8")
    assert written == page(), "write it anew: python -m tools.states"


def test_every_step_of_arming_is_drawn() -> None:
    drawn = {(start, name): end for start, end, names in arrows(arming_machine()) for name in names}
    assert drawn == {(str(a), str(said)): str(b) for (a, said), b in TABLE.items() if a is not b}


def test_what_all_states_do_alike_is_one_arrow() -> None:
    steps = {
        ("a", "go"): "b",
        ("b", "go"): "b",
        ("a", "halt"): "a",
        ("b", "halt"): "a",
        ("a", "x"): "b",
        ("b", "x"): "b",
    }
    machine = Machine(title="", source="", text="", start="a", steps=steps, told={})
    assert arrows(machine) == [(ANY, "b", ["go", "x"]), (ANY, "a", ["halt"])]


def test_a_device_that_starts_may_be_silent_for_a_while_as_the_interfaces_say() -> None:
    steps = binding_machine().steps
    assert steps["starting", "silent in the first 10 s"] == "starting"
    assert steps["starting", "silent later"] == "unreachable"


def test_a_write_that_is_taken_ends_every_trouble() -> None:
    steps = trouble_machine().steps
    assert {end for (_, name), end in steps.items() if name == "taken"} == {FREE}
