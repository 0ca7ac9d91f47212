"""Runs a program of Python once for each line of standard input, with its words as arguments.

    lines.py PROGRAM

The answer is a line: "ok ..." with what it printed, or "no ..." with what it ended by.
"""

import contextlib
import io
import runpy
import sys

program = sys.argv[1]
for line in sys.stdin:
    sys.argv = [program, *line.split()]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(program, run_name="__main__")
        print("ok", said.getvalue().strip(), flush=True)
    except SystemExit as end:
        print("no", str(end.code).replace("\n", " "), flush=True)
