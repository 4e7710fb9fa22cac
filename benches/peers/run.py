#!/usr/bin/env python3
"""Us, the others and the kernel on the same machine, in one table. What came out is in benches/README.md.

Nothing but the standard library. Needs the release binaries (TANDEM_BIN, LOADTEST_BIN, ECHO_BIN name others).
"""

import argparse
import sys

import frames
import talk
from rtpengine import rows as rtpengine
from table import show

PARTS = {"frames": frames.rows, "rtpengine": rtpengine.rows, "pipecat": talk.pipecat, "active-call": talk.active_call}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; none: all of them")
    parser.add_argument("--calls", type=int, default=200, help="calls through rtpengine and us; a fifth with Opus")
    parser.add_argument("--seconds", type=int, default=10, help="how long CPU is counted")
    parser.add_argument("--callers", type=int, help="callers at a time who try how it feels")
    parser.add_argument("--most", type=int, default=12, help="calls of each kind at most")
    parser.add_argument("--talkers", type=int, help="conversations at a time whose CPU and memory are counted")
    options = parser.parse_args()
    if unknown := set(options.parts) - {*PARTS, "all"}:
        parser.error(f"{', '.join(unknown)}: there are {', '.join(PARTS)}")
    rows, failed = [], False
    for part in options.parts if options.parts and "all" not in options.parts else PARTS:
        try:
            for row in PARTS[part](options):
                rows.append(row)
                print("  ".join(filter(None, row.cells())), file=sys.stderr, flush=True)
        except FileNotFoundError as missing:
            print(f"without {part}: {missing}", file=sys.stderr)
        except SystemExit as why:
            # What others cost is still worth knowing.
            print(f"{part} failed: {why}", file=sys.stderr)
            failed = True
    print()
    sys.exit(show(rows) or failed)


if __name__ == "__main__":
    main()
