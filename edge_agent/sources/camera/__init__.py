"""Cameras: V4L2 devices, streams, videos and folders, each behind a reader thread that can be left behind."""

from edge_agent.sources.camera.account import CameraState, CameraStats
from edge_agent.sources.camera.camera import Camera

__all__ = ["Camera", "CameraState", "CameraStats"]
