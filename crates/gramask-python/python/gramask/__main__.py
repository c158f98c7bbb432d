"""The command line program: `gramask`, and `python -m gramask`."""

import signal
import sys

from . import _gramask


def main() -> int:
    """Runs the program with the arguments of the process, and returns its exit code."""
    # Ctrl-C ends the program at once, unless a command handles it. Python's own handler would wait for the command.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _gramask.main(["gramask", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
