"""Getting ready: the compiled parts of the planner loaded, or compiled where they never were."""

from barista.values.flavor import Flavor, Pool
from barista.values.problem import FlavorOption, Problem, ServiceProblem
from barista_plugins.carried import Carried, Start
from barista_plugins.cbc import Budget
from barista_plugins.decomposition import Decomposition
from barista_plugins.packed import PackedProblem

SMALLEST = Problem(
    name="smallest",
    step_s=60.0,
    steps=2,
    pools=(Pool("main", cpu=2.0, memory_gib=2.0),),
    flavors=(Flavor("small", "main", cpu=1.0, memory_gib=1.0, cost_per_hour=1.0),),
    services=(ServiceProblem("first", (1.0, 2.0), 1.0, 0, 2, (FlavorOption("small", 1.0, 0, 0),), ()),),
)
"""One service, one flavor, two steps."""


def get_ready() -> None:
    """Plan the smallest problem and carry it on, which calls all that is compiled.

    ImportError where numba is not installed.
    """
    packed = PackedProblem(SMALLEST)
    planning = Decomposition(packed, Budget(None, 0.0, None), Start.from_nothing(packed))
    planning.run()
    carried = Carried.of(
        packed, planning.prices, planning.cap, planning.proven, planning.chosen, planning.columns
    )
    carried.start(packed)
