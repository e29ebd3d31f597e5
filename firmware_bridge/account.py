"""What arrived against what was numbered: samples and edges that are missing are counted, never guessed.

Pure. The one rule of samples: those received, those the microcontroller dropped and those lost on the wire add up to
what the numbers of first and last sample say, at any moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from firmware_bridge.messages import Block, Edge

MASK: Final = 0xFFFF_FFFF
HALF: Final = 0x8000_0000


@dataclass
class SampleAccount:
    """Follows the blocks of one count, from a CONFIG to the next."""

    received: int = 0  #: samples in blocks that arrived
    dropped: int = 0  #: samples the microcontroller says it dropped, before blocks that arrived
    lost: int = 0  #: samples that the numbers say there were in between
    blocks: int = 0  #: blocks that arrived
    blocks_lost: int = 0  #: block numbers that never arrived
    stale: int = 0  #: blocks that came twice or out of order
    contradictory: int = 0  #: blocks whose numbers cannot be true
    first_sample: int | None = None  #: number of the first sample that is accounted for
    _next_sample: int = 0
    _next_block: int = 0

    def add(self, block: Block) -> int | None:
        """Take a block.

        Args:
            block: as it was said.

        Returns:
            Samples missing right before it; None for a block that is not to be used.
        """
        n = len(block.samples)
        if self.first_sample is None:
            self.first_sample = block.first_sample
            missing = dropped = 0
        else:
            ahead = (block.block_seq - self._next_block) & MASK
            if ahead >= HALF:
                self.stale += 1
                return None
            missing = block.first_sample - self._next_sample
            dropped = block.dropped_before
            if missing < dropped or (ahead == 0 and missing != dropped):
                self.contradictory += 1
                return None
            self.blocks_lost += ahead
        self.received += n
        self.dropped += dropped
        self.lost += missing - dropped
        self.blocks += 1
        self._next_sample = block.first_sample + n
        self._next_block = (block.block_seq + 1) & MASK
        return missing

    @property
    def spanned(self) -> int:
        """Samples from the first to the last by their numbers: received + dropped + lost."""
        return 0 if self.first_sample is None else self._next_sample - self.first_sample


@dataclass
class EdgeAccount:
    """Follows the edges of one session, from `last` on.

    Attributes:
        last: number of the last edge that is accounted for.
    """

    last: int = 0
    received: int = 0  #: edges that arrived
    lost: int = 0  #: numbers that never arrived
    repeated: int = 0  #: edges that came again, as each one should
    glitches: int = 0  #: pulses that were too short to count

    def add(self, edge: Edge) -> bool:
        """Take an edge; say whether it is a new one."""
        if edge.edge_seq <= self.last:
            self.repeated += 1
            return False
        self.lost += edge.edge_seq - self.last - 1
        self.last = edge.edge_seq
        self.received += 1
        self.glitches += edge.glitches
        return True

    def told(self, edges: int) -> None:
        """Hear from a STATUS how many edges there were: whatever never came by then is lost."""
        if edges > self.last:
            self.lost += edges - self.last
            self.last = edges


@dataclass
class TheirCount:
    """A count that a microcontroller keeps since its own start: what it grew by while this end listened."""

    total: int = 0
    _boot_id: int | None = None
    _last: int = 0

    def told(self, boot_id: int, count: int) -> None:
        """Hear the count of a start; the first time says only where it begins."""
        if boot_id == self._boot_id:
            self.total += max(0, count - self._last)
        self._boot_id, self._last = boot_id, count


@dataclass(frozen=True)
class Totals:
    """Samples and edges of several sessions together.

    Attributes:
        samples: received.
        samples_dropped: by the microcontroller.
        samples_lost: on the wire.
        edges: received.
        edges_lost: numbers of edges that never came.
        glitches: pulses that were too short to count.
    """

    samples: int = 0
    samples_dropped: int = 0
    samples_lost: int = 0
    edges: int = 0
    edges_lost: int = 0
    glitches: int = 0

    def plus(self, samples: SampleAccount, edges: EdgeAccount) -> Totals:
        """Give these and the accounts of one session more."""
        return Totals(
            self.samples + samples.received,
            self.samples_dropped + samples.dropped,
            self.samples_lost + samples.lost,
            self.edges + edges.received,
            self.edges_lost + edges.lost,
            self.glitches + edges.glitches,
        )
