"""Radial feeder solved by Z-bus fixed point, balanced, per phase (0.00025 pu from OpenDSS when it was chosen)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A series impedance per phase; `parent` is "source" for the first one."""

    parent: str
    node: str
    r_ohm: float
    x_ohm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSolution:
    """Node voltages (per unit of nominal) and what leaves the site at the point of connection (+ export)."""

    v_pu: Mapping[str, float]
    poc_v_pu: float
    poc_p_w: float
    poc_q_var: float
    converged: bool


class GridModel(Protocol):
    """What the site asks of a grid: injections per node in, voltages out."""

    def solve(self, s_va: Mapping[str, complex], source_v_pu: float) -> GridSolution:
        """`s_va` is P + jQ injected at each node, three phases together, + towards the grid."""
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

    def solve(self, s_va: Mapping[str, complex], source_v_pu: float) -> GridSolution:
        """V = V0 + Z conj(S/V), repeated until it stands still (1e-10 of nominal) or 100 times."""
        s = np.array([s_va.get(node, 0j) for node in self.nodes], dtype=np.complex128) / self.phases
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
