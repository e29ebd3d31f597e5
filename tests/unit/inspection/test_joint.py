"""Several scores weighed together: any is enough, none drowns the others, and good parts are not stopped for it."""

from __future__ import annotations

import numpy as np

from edge_agent.inspection.joint import Joint
from edge_agent.inspection.ring import Ring


def test_either_score_is_enough_and_neither_drowns_the_other() -> None:
    rng = np.random.default_rng(8)
    joint = Joint(rng.normal(size=(60, 2)) * [1.0, 100.0])
    usual, by_one, by_other = joint.ratio(np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 900.0]]))

    assert min(by_one, by_other) > max(usual, joint.own.max())
    far = np.array([[9.0, 0.0], [0.0, 900.0]])
    assert (joint.p_value(far, joint.ratio(far)) == 1 / 61).all()


def test_held_out_parts_weigh_as_further_good_ones_do() -> None:
    """Each is weighed by the others: weighed by itself as well, it would seem more usual than it is."""
    rng = np.random.default_rng(9)
    further = rng.normal(size=(4000, 2))
    drawn = [Joint(rows) for rows in rng.normal(size=(300, 8, 2))]
    own = np.mean([np.log(joint.own).mean() for joint in drawn])
    alike = np.mean([np.log(joint.ratio(further)).mean() for joint in drawn])
    by_itself = np.mean([np.log(joint.ratio(joint.held_out)).mean() for joint in drawn])

    assert abs(own - alike) < 0.5 * abs(by_itself - alike)


def stopped(p_values: np.ndarray, alpha: float) -> float:
    return float((p_values <= alpha).mean())


def test_no_more_good_parts_are_stopped_than_were_asked_for() -> None:
    rng = np.random.default_rng(3)
    further = rng.normal(size=(2000, 3))
    joints = [Joint(rng.normal(size=(19, 3))) for _ in range(100)]
    right = np.mean([stopped(joint.p_value(further, joint.ratio(further)), 0.05) for joint in joints])
    by_themselves = (Ring(np.log(j.ratio(j.held_out))).p_value(np.log(j.ratio(further))) for j in joints)
    wrong = np.mean([stopped(p_values, 0.05) for p_values in by_themselves])

    assert right <= 0.05
    assert wrong > 0.07


def test_one_score_ranks_by_itself() -> None:
    scores = np.random.default_rng(4).normal(size=(30, 1))
    asked = np.linspace(-3.0, 3.0, 50)[:, np.newaxis]
    alone = Joint(scores)

    assert (alone.p_value(asked, alone.ratio(asked)) == Ring(scores[:, 0]).p_value(asked[:, 0])).all()
    assert (Joint(scores).own_p_value == Ring(scores[:, 0]).p_value(scores[:, 0])).all()
