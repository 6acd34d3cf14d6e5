# SPDX-License-Identifier: Apache-2.0
"""The table says what was met, what was not, and what was not measured."""
import budget
import pytest
from budget import Budget

FASTER = Budget("D1", "decode", "peer", ">=", 5, 9)
CHEAPER = Budget("S1", "start", "peer", "<=", 1.0, 0.8)


@pytest.mark.parametrize("goal, measured, verdict", [
    (FASTER, 9, "goal met"), (FASTER, 8.9, "must met"), (FASTER, 5, "must met"),
    (FASTER, 4.9, "MISSED"),
    (CHEAPER, 0.8, "goal met"), (CHEAPER, 0.9, "must met"), (CHEAPER, 1.1, "MISSED"),
    (CHEAPER, None, "skipped")])
def test_a_budget_is_met_up_to_its_bound(goal, measured, verdict):
    assert goal.verdict(measured) == verdict


def test_the_table_has_a_row_for_each_budget_with_its_verdict():
    lines = list(budget.table([FASTER, CHEAPER], {FASTER: 4.0}))
    assert len(lines) == 3
    assert lines[1].split() == ["D1", "decode", "peer", ">=", "5", ">=", "9", "4", "MISSED"]
    assert lines[2].split()[-2:] == ["-", "skipped"]
