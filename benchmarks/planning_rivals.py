"""Rivals of the planner: the whole problem as one program, for CBC and for HiGHS.

Both get the tight formulation that the planner's own programs have (`unit_commitment`), one thread, the
same gap to stop at, and nothing else of ours: no prices, no start.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import highspy

from barista.values.problem import FlavorPlan, Plan, PlanLimits, PlanStatus, Problem
from barista_plugins.cbc import Budget, new_model
from barista_plugins.unit_commitment import Fleet, Program, formulate
from barista_plugins.whole import solve_whole


class Cbc:
    """One program, solved by CBC through python-mip."""

    name = "cbc"

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        """The plan CBC has found by the time limit, and its bound."""
        found = solve_whole(problem, {}, Budget.of(limits))
        return Plan(found.services, found.status, self.name, found.cost, found.bound)


class Highs:
    """One program, solved by HiGHS through highspy."""

    name = "highs"

    def plan(self, problem: Problem, limits: PlanLimits) -> Plan:
        """The plan HiGHS has found by the time limit, and its bound."""
        program = formulate(problem, new_model())
        make: Any = highspy.Highs  # it carries no types
        solver = make()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("mip_rel_gap", limits.gap)
        if limits.time_limit_s is not None:
            solver.setOptionValue("time_limit", limits.time_limit_s)
        _pass(program.model, solver)
        solver.run()
        info, unit = solver.getInfo(), program.setting.unit_cost
        bound = float(info.mip_dual_bound) * unit
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return Plan({}, PlanStatus.TIMED_OUT, self.name, bound=bound)
        services = _services(program, solver.getSolution().col_value)
        cost = float(info.objective_function_value) * unit
        return Plan(services, PlanStatus.FEASIBLE, self.name, cost, bound)


RIVALS = {rival.name: rival for rival in (Cbc, Highs)}


def _pass(model: Any, solver: Any) -> None:
    """Give the python-mip `model` to HiGHS as it is: a file would round its numbers."""
    for variable in model.vars:
        solver.addCol(variable.obj, variable.lb, variable.ub, 0, [], [])
    whole = [variable.idx for variable in model.vars if variable.var_type != "C"]
    solver.changeColsIntegrality(len(whole), whole, [1] * len(whole))
    solver.changeObjectiveOffset(model.objective.const)
    for row in model.constrs:
        terms = row.expr.expr
        low = -solver.inf if row.expr.sense == "<" else row.rhs
        high = solver.inf if row.expr.sense == ">" else row.rhs
        solver.addRow(low, high, len(terms), [v.idx for v in terms], list(terms.values()))


def _services(program: Program, values: Any) -> Mapping[str, Mapping[str, FlavorPlan]]:
    """Starts and stops by the `values` of the program's variables, in its order."""

    def solved(fleet: Fleet) -> Fleet:
        return replace(
            fleet,
            start=[SimpleNamespace(x=values[variable.idx]) for variable in fleet.start],
            ready=[SimpleNamespace(x=values[variable.idx]) for variable in fleet.ready],
        )

    return replace(program, fleets=[solved(fleet) for fleet in program.fleets]).services()
