"""The wall clock of a broker, which can be stepped: stepped_clock.cc, preloaded."""
import pathlib
import struct

LIBRARY = (pathlib.Path(__file__).resolve().parents[2] /
           "build" / "release" / "tests" / "nemesis" / "libstepped_clock.so")


def why_not():
    """Why there are no such clocks here; nothing if there are."""
    return None if LIBRARY.exists() else f"{LIBRARY.name} is not built (./dev build)"


class WallClock:
    """Runs with the machine's own until it is stepped."""

    def __init__(self, path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(struct.pack("=q", 0))

    def command(self):
        """What comes before the command that is to live by this clock."""
        return ["env", f"LD_PRELOAD={LIBRARY}", f"GARAM_STEPPED_CLOCK={self.path}"]

    def set_step(self, milliseconds):
        """How far it is before the machine's."""
        with open(self.path, "r+b", buffering=0) as file:
            file.write(struct.pack("=q", milliseconds))
