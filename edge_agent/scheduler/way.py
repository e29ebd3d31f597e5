"""How a lane comes to what it holds, and what is known of it before it runs: told by whoever places the bundles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

from edge_agent.scheduler.job import H


@dataclass(frozen=True)
class Way(Generic[H]):
    """How a lane comes to what it holds.

    Attributes:
        name: of the lane, for people: where the parts run.
        devices: those that it needs, as `runtime/kind`.
        load: loads it, on the lane's thread; may take seconds.
        prove: shows that it gives the right numbers and says how many pieces it looked at; on the lane's thread.
        at: says which device computes, or did last, "" before any did; from any thread.
        loading: says whether a job is loading something, which may take as long as a load; from any thread.
        p99_s: by bundle, what one job in a hundred exceeded before this start [s], to know which lane is the quicker;
            those that nobody knows are missing.
        prove_together: shows which batches give the right numbers too; on the lane's thread.
        complaints: says which batches that were measured do not, and why; while the lane's thread does nothing.
        batches_s: what jobs of a bundle were measured to take together [s], by how many, as far as that is proven;
            from any thread.
    """

    name: str
    devices: frozenset[str]
    load: Callable[[], H]
    prove: Callable[[H], int]
    at: Callable[[H], str]
    loading: Callable[[H], bool] = lambda held: False
    p99_s: Mapping[str, float] = field(default_factory=dict)
    prove_together: Callable[[H], object] = lambda held: None
    complaints: Callable[[H], Sequence[str]] = lambda held: ()
    batches_s: Callable[[H, str], Mapping[int, float]] = lambda held, bundle: {}
