"""Radial feeders solved by Z-bus fixed point: balanced (0.00025 pu from OpenDSS when it was chosen), or by phases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

PHASES = "abc"
TURN = np.exp(-2j * np.pi / 3.0)
Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A series impedance per phase; `parent` is "source" for the first one. `each`: (r, x) in ohm of phase a, b and c
    where they differ; `neutral`: that of the neutral, which carries what the phases don't cancel."""

    parent: str
    node: str
    r_ohm: float
    x_ohm: float
    each: tuple[tuple[float, float], ...] = ()
    neutral: tuple[float, float] = (0.0, 0.0)


class Spot(NamedTuple):
    """Where something is connected; without a phase, on all of them."""

    node: str
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSolution:
    """Node voltages (per unit of nominal) and what leaves the site at the point of connection (+ export). `each_*`
    per phase, to neutral, where the feeder has phases."""

    v_pu: Mapping[str, float]
    poc_v_pu: float
    poc_p_w: float
    poc_q_var: float
    converged: bool
    each_v_pu: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    each_poc_v_pu: tuple[float, ...] = ()
    each_poc_p_w: tuple[float, ...] = ()
    each_poc_q_var: tuple[float, ...] = ()


Injected = Mapping[str, complex] | Mapping[Spot, complex]


class GridModel(Protocol):
    """What the site asks of a grid: injections per node in, voltages out."""

    def solve(self, s_va: Injected, source_v_pu: float) -> GridSolution:
        """`s_va` is P + jQ injected at each spot (of a plain node, all phases together), + towards the grid."""
        ...


def _chain(lines: Sequence[Line], node: str) -> list[int]:
    """Indexes of the lines between the source and `node`."""
    by_node = {line.node: index for index, line in enumerate(lines)}
    chain: list[int] = []
    while node != "source":
        index = by_node[node]
        chain.append(index)
        node = lines[index].parent
    return chain


def _z_bus(lines: Sequence[Line]) -> Complexes:
    """Z[i, j] = impedance of the path that nodes i and j share."""
    chains = [set(_chain(lines, line.node)) for line in lines]
    z_line = [complex(line.r_ohm, line.x_ohm) for line in lines]
    return np.array([[sum(z_line[k] for k in a & b) for b in chains] for a in chains], dtype=np.complex128)


class ZBusFeeder:
    """A radial feeder behind a source impedance. `v_nom_v` is phase to neutral; `phases` carry equal shares."""

    def __init__(self, lines: Sequence[Line], *, poc: str, v_nom_v: float, phases: int = 3) -> None:
        self.lines = tuple(lines)
        self.nodes = tuple(line.node for line in lines)
        self.v_nom_v = v_nom_v
        self.phases = phases
        self._z = _z_bus(self.lines)
        self._poc = self.nodes.index(poc)
        self._behind_poc = np.array([self._poc in _chain(self.lines, node) for node in self.nodes])
        self._poc_line = self.lines[self._poc]

    def solve(self, s_va: Injected, source_v_pu: float) -> GridSolution:
        """V = V0 + Z conj(S/V), repeated until it stands still (1e-10 of nominal) or 100 times."""
        at_node: dict[str, complex] = {}
        for spot, s_each in s_va.items():
            node = spot if isinstance(spot, str) else spot.node
            at_node[node] = at_node.get(node, 0j) + s_each
        s = np.array([at_node.get(node, 0j) for node in self.nodes], dtype=np.complex128) / self.phases
        v0 = max(source_v_pu, 1e-3) * self.v_nom_v
        v = np.full(len(self.nodes), v0, dtype=np.complex128)
        converged = False
        for _ in range(100):
            following = v0 + self._z @ self._current(s, v, v0)
            converged = bool(np.max(np.abs(following - v)) < 1e-10 * self.v_nom_v)
            v = following
            if converged:
                break
        return self._solution(s, v, v0, converged)

    def _current(self, s: Complexes, v: Complexes, v0: float) -> Complexes:
        """Constant power; constant impedance below half of the source voltage, so that a dead grid stays solvable."""
        magnitude = np.maximum(np.abs(v), 0.5 * v0)
        current: Complexes = np.conj(s) * v / (magnitude * magnitude)
        return current

    def _solution(self, s: Complexes, v: Complexes, v0: float, converged: bool) -> GridSolution:
        current = self._current(s, v, v0)
        through_poc = complex(np.sum(current[self._behind_poc]))
        s_poc = self.phases * complex(v[self._poc]) * through_poc.conjugate()
        v_pu = {node: float(abs(v[i])) / self.v_nom_v for i, node in enumerate(self.nodes)}
        return GridSolution(
            v_pu=v_pu,
            poc_v_pu=v_pu[self.nodes[self._poc]],
            poc_p_w=s_poc.real,
            poc_q_var=s_poc.imag,
            converged=converged,
        )


class PhasedFeeder:
    """A radial feeder of three phases with loads and impedances of their own, and a neutral that they share."""

    def __init__(self, lines: Sequence[Line], *, poc: str, v_nom_v: float) -> None:
        self.nodes = tuple(line.node for line in lines)
        self.v_nom_v = v_nom_v
        self._z = _z_phases(lines)
        self._poc = self.nodes.index(poc)
        self._behind_poc = [i for i, node in enumerate(self.nodes) if self._poc in _chain(lines, node)]
        self._source = np.array([TURN**p for _ in self.nodes for p in range(3)], dtype=np.complex128)

    def solve(self, s_va: Injected, source_v_pu: float) -> GridSolution:
        """As ZBusFeeder, for 3 N voltages to neutral; what is on all phases is shared equally."""
        s = self._at_phases(s_va)
        v0 = max(source_v_pu, 1e-3) * self.v_nom_v
        v = v0 * self._source
        converged = False
        for _ in range(100):
            following = v0 * self._source + self._z @ self._current(s, v, v0)
            converged = bool(np.max(np.abs(following - v)) < 1e-10 * self.v_nom_v)
            v = following
            if converged:
                break
        return self._solution(s, v, v0, converged)

    def _at_phases(self, s_va: Injected) -> Complexes:
        s = np.zeros(3 * len(self.nodes), dtype=np.complex128)
        for given, s_each in s_va.items():
            spot = Spot(given) if isinstance(given, str) else given
            first = 3 * self.nodes.index(spot.node)
            if spot.phase:
                s[first + PHASES.index(spot.phase)] += s_each
            else:
                s[first : first + 3] += s_each / 3.0
        return s

    def _current(self, s: Complexes, v: Complexes, v0: float) -> Complexes:
        magnitude = np.maximum(np.abs(v), 0.5 * v0)
        current: Complexes = np.conj(s) * v / (magnitude * magnitude)
        return current

    def _solution(self, s: Complexes, v: Complexes, v0: float, converged: bool) -> GridSolution:
        current = self._current(s, v, v0).reshape(-1, 3)
        at_node = v.reshape(-1, 3)
        through = np.sum(current[self._behind_poc], axis=0)
        s_poc = at_node[self._poc] * np.conj(through)
        each = {node: tuple(float(x) / self.v_nom_v for x in np.abs(at_node[i])) for i, node in enumerate(self.nodes)}
        v_pu = {node: sum(x) / 3.0 for node, x in each.items()}
        poc = self.nodes[self._poc]
        return GridSolution(
            v_pu=v_pu,
            poc_v_pu=v_pu[poc],
            poc_p_w=float(np.sum(s_poc.real)),
            poc_q_var=float(np.sum(s_poc.imag)),
            converged=converged,
            each_v_pu=each,
            each_poc_v_pu=each[poc],
            each_poc_p_w=tuple(float(x) for x in s_poc.real),
            each_poc_q_var=tuple(float(x) for x in s_poc.imag),
        )


def _z_phases(lines: Sequence[Line]) -> Complexes:
    """Z of 3 N voltages to neutral: on the same phase the shared path's own, on every phase its neutral's."""
    chains = [set(_chain(lines, line.node)) for line in lines]
    z = np.zeros((3 * len(lines), 3 * len(lines)), dtype=np.complex128)
    for i, a in enumerate(chains):
        for j, b in enumerate(chains):
            for k in a & b:
                line = lines[k]
                each = line.each or ((line.r_ohm, line.x_ohm),) * 3
                own = np.diag([complex(*pair) for pair in each])
                z[3 * i : 3 * i + 3, 3 * j : 3 * j + 3] += own + complex(*line.neutral)
    return z
