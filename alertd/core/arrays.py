"""numpy, imported when the first array is made: it takes ten times as long as Python, and many commands need none."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        """Stands for the module, and keeps what was asked of it: later use costs no more than the module's own."""

        def __getattr__(self, name: str) -> object:
            import numpy as real  # noqa: PLC0415 -- the purpose of this module

            found = getattr(real, name)
            setattr(self, name, found)
            return found

    np = _Numpy()

__all__ = ["np"]
