"""Honest numbers on a folder of class folders: teach a few examples, test on others, many times over."""

from edge_agent.evaluate.goodonly import GoodOnlyEvaluation, evaluate_good_only
from edge_agent.evaluate.incremental import IncrementalEvaluation, evaluate_incremental
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.evaluate.run import run_evaluate
from edge_agent.evaluate.shots import Evaluation, evaluate
from edge_agent.evaluate.unknown import UnknownEvaluation, evaluate_unknown

__all__ = [
    "EvaluateOptions",
    "Evaluation",
    "GoodOnlyEvaluation",
    "IncrementalEvaluation",
    "UnknownEvaluation",
    "evaluate",
    "evaluate_good_only",
    "evaluate_incremental",
    "evaluate_unknown",
    "run_evaluate",
]
