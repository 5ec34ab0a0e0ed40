"""numpy, imported on first use: that takes ten times as long as starting Python, and many commands never need it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        """A proxy for the module that caches each attribute, so that later access is as fast as the module's own."""

        def __getattr__(self, name: str) -> object:
            import numpy as real  # noqa: PLC0415 -- the purpose of this module

            found = getattr(real, name)
            setattr(self, name, found)
            return found

    np = _Numpy()

__all__ = ["np"]
