"""The workshop's data room: labelled samples from folders, tables, the simulated line and public sets, split by thing.

`sample` says what a sample is; `folder`, `paired`, `castings`, `drawn`, `bearings` and `steel` have some, `joined` has
those of several; `survey` reads them once; `split` shares them out by physical thing and refuses a split that leaks.
Needs no torch.
"""

from models.workshop.data.bearings import CwruData
from models.workshop.data.castings import CastingsData
from models.workshop.data.drawn import DrawnData
from models.workshop.data.folder import FolderData
from models.workshop.data.joined import JoinedData
from models.workshop.data.paired import PairedData
from models.workshop.data.sample import IMAGE, VIBRATION, Dataset, Entry, Sample, ordered_classes
from models.workshop.data.split import SHARES, Sides, check_leak, describe, hold_out, split
from models.workshop.data.steel import SteelData
from models.workshop.data.survey import Fingerprint, Survey, survey

__all__ = [
    "IMAGE",
    "SHARES",
    "VIBRATION",
    "CastingsData",
    "CwruData",
    "DrawnData",
    "Dataset",
    "Entry",
    "Fingerprint",
    "FolderData",
    "JoinedData",
    "PairedData",
    "Sample",
    "Sides",
    "SteelData",
    "Survey",
    "check_leak",
    "describe",
    "hold_out",
    "ordered_classes",
    "split",
    "survey",
]
