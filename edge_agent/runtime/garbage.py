"""What the collector of cyclic garbage looks at: all of a started station takes it 70 ms, and no thread goes on."""

from __future__ import annotations

import gc


def keep_for_good() -> None:
    """Have the collector look no more at what there is now (gc.freeze), as a station that has started keeps it."""
    gc.freeze()


def let_go() -> None:
    """Collect what was kept for good and is garbage since; nothing where nothing was."""
    if gc.get_freeze_count():
        gc.unfreeze()
        gc.collect()
