"""The `barista` command with a clock that a test turns.

    python -m tests.cluster.skewed FILE ARGUMENTS...

The time of day is off by as many seconds as FILE says at that moment; what was measured and slept on the
monotonic clock is right, as on a machine whose clock is set. (libfaketime makes Python's sleeps fail.)
"""

import sys
import time
from pathlib import Path

from barista.cli.main import run_app


def main() -> None:
    """Run the command."""
    file, right = Path(sys.argv.pop(1)), time.time
    time.time = lambda: right() + float(file.read_text() or 0)
    run_app()


if __name__ == "__main__":
    main()
