"""
Whole lives of the daemon in virtual time: its real code, a world that goes wrong, and an oracle that shares no code.

    plan       everything that happens, as a list
    worlds     kinds of plans, one for each kind of trouble
    chances    what chance does in them
    arranged   those in which one thing is made to meet another
    world      the billing API and its bills
    payments   what it says of monthly bills and of the balance
    receivers  who is notified, and how they fail
    slack      a workspace, for one of them
    loop       the event loop, whose clock, threads and sockets belong to the simulation
    kill       where the process ends in the middle
    person     who acknowledges, silences and presses
    daemon     the daemon of one process
    run        a plan lived through, as a trace
    oracle_*   what must hold of a trace
    shrink     the shortest plan that still goes wrong
    planted*   bugs that it has to find

`check_seed` is all that others need.
"""

import tests.mutants.planting  # noqa: F401 -- first of all: what it plants must not be imported before
from tests.simulation.run import check_plan, check_seed
from tests.simulation.violation import Violation

__all__ = ["Violation", "check_plan", "check_seed"]
