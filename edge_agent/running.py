"""Begins the station that a file describes, with what the console wants of its settings."""

from __future__ import annotations

from pathlib import Path

from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.desired import Desired
from edge_agent.errors import ConfigError
from edge_agent.inspection.headstart import HeadStart


def begin(path: Path, ahead: HeadStart | None = None) -> Agent:
    """Build the station; settings on trial that it cannot be built with are taken back at once.

    Args:
        path: the station's file.
        ahead: has begun to load what judges; None where nobody has.

    Returns:
        An agent that is ready to run.

    Raises:
        ConfigError: a person must change something.
        Unavailable: another agent uses the state directory, or the disk fails.
    """
    desired = Desired(path)
    try:
        return build(desired.begin(), desired=desired, ahead=ahead)
    except ConfigError as error:
        if desired.trying is None or not desired.take_back(desired.trying, error.message):
            raise
        return build(desired.present(), desired=desired, ahead=ahead)
