"""The proof sheet as a file, with the pictures that the station keeps."""

from __future__ import annotations

from pathlib import Path

from edge_agent.config import Config
from edge_agent.errors import EdgeAgentError
from edge_agent.learning.blobs import Blobs
from edge_agent.learning.proof import ProofSheet, proof_page
from edge_agent.ledger import EvidenceStore
from edge_agent.runtime.disk import RealDisk
from edge_agent.terminal.printout import thumbnail, write_file


def write_page(config: Config, sheet: ProofSheet, path: Path) -> None:
    """Write a proof sheet as one HTML file, when it is whole.

    Args:
        config: of the station whose pictures are shown.
        sheet: what is shown.
        path: where to; a file that is there is replaced.

    Raises:
        BadData: it cannot be written there.
    """
    disk = RealDisk(Path(config.station.state_dir))
    blobs, evidence = Blobs(disk), EvidenceStore(disk)

    def picture(digest: str) -> bytes | None:
        try:
            return thumbnail(blobs.read(digest) if blobs.has(digest) else evidence.read(digest))
        except EdgeAgentError:
            return None

    write_file(path, proof_page(sheet, picture).encode())
