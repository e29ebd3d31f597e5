"""One evaluation from what a person chose to what is printed and the exit code."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress

from edge_agent.evaluate.goodlots import LotsEvaluation, evaluate_lots
from edge_agent.evaluate.goodonly import GoodOnlyEvaluation, evaluate_good_only
from edge_agent.evaluate.incremental import IncrementalEvaluation, evaluate_incremental
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.evaluate.printing import print_evaluation, print_good_only, print_incremental, print_lots, print_unknown
from edge_agent.evaluate.shots import Evaluation, evaluate
from edge_agent.evaluate.unknown import UnknownEvaluation, evaluate_unknown
from edge_agent.terminal.printing import say_json


def run_evaluate(options: EvaluateOptions) -> int:
    """Evaluate and print.

    Args:
        options: what a person chose.

    Returns:
        The exit code: 1 where the order of teaching changed a byte of what is known, which must not be.
    """
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        evaluation = _evaluated(options, progress)
    if options.json:
        say_json(evaluation)
    else:
        match evaluation:
            case IncrementalEvaluation():
                print_incremental(evaluation)
            case UnknownEvaluation():
                print_unknown(evaluation)
            case GoodOnlyEvaluation():
                print_good_only(evaluation)
            case LotsEvaluation():
                print_lots(evaluation)
            case Evaluation():
                print_evaluation(evaluation)
    return int(isinstance(evaluation, IncrementalEvaluation) and not evaluation.identical_bytes)


def _evaluated(
    options: EvaluateOptions, progress: Progress
) -> Evaluation | IncrementalEvaluation | UnknownEvaluation | GoodOnlyEvaluation | LotsEvaluation:
    if options.incremental:
        return evaluate_incremental(options, progress)
    if options.lots is not None:
        return evaluate_lots(options, options.lots, progress)
    if options.good_only:
        return evaluate_good_only(options, progress)
    if options.unknown:
        return evaluate_unknown(options, progress)
    return evaluate(options, progress)
