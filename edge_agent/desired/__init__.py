"""What the console wants of the station's settings: checked, tried, proven, and taken back where it does not do."""

from edge_agent.desired.settings import REMOTE
from edge_agent.desired.standing import Standing, Wish
from edge_agent.desired.store import Desired
from edge_agent.desired.wishes import Prospect, Wishes

__all__ = ["REMOTE", "Desired", "Prospect", "Standing", "Wish", "Wishes"]
