"""A small disk for each broker's data folder, which can be filled up and freed again."""
import os
import subprocess

SIZE_MIB_MIN = 256
SIZE_MIB_A_MINUTE = 20  # What the writers write; nothing is deleted.
FILLER = "filler"
STEP = 1 << 20


class Disk:
    """A tmpfs on the folder, in this process's own mounts."""

    def __init__(self, folder, minutes):
        size_mib = max(SIZE_MIB_MIN, int(SIZE_MIB_A_MINUTE * minutes))
        self.filler = folder / FILLER
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)],
                       check=True)

    def fill(self):
        """Takes all space there is, to the last page."""
        with open(self.filler, "wb") as file:
            step, at = STEP, 0
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), at, step)
                    at += step
                except OSError:
                    step //= 2

    def free(self):
        self.filler.unlink(missing_ok=True)
