# SPDX-License-Identifier: Apache-2.0
"""The budgets: what is measured, against what, and what it has to be."""
from typing import NamedTuple


class Budget(NamedTuple):
    id: str
    what: str
    against: str
    bound: str    # "<=" or ">="
    must: float   # what a release has to hold
    goal: float   # what we want

    def verdict(self, measured):
        if measured is None:
            return "skipped"
        keeps = float.__le__ if self.bound == "<=" else float.__ge__
        if keeps(float(measured), float(self.goal)):
            return "goal met"
        return "must met" if keeps(float(measured), float(self.must)) else "MISSED"


def row(*cells):
    return "{:<5} {:<42} {:<34} {:>9} {:>9} {:>9}  {}".format(*cells).rstrip()


def table(budgets, measured):
    """The lines of the table; measured has a number for each budget that was not skipped."""
    yield row("id", "what", "against", "must", "goal", "measured", "")
    for budget in budgets:
        value = measured.get(budget)
        yield row(budget.id, budget.what, budget.against, f"{budget.bound} {budget.must:g}",
                  f"{budget.bound} {budget.goal:g}", "-" if value is None else f"{value:.3g}",
                  budget.verdict(value))
