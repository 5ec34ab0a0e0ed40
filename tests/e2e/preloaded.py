"""Import the whole program, in the process that those of the tests are forked from."""

import os

# A thread of numpy's would not be there in a fork.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from importlib import import_module
from pkgutil import walk_packages

import alertd

for found in walk_packages(alertd.__path__, "alertd."):
    if not found.name.endswith("__main__"):
        import_module(found.name)
