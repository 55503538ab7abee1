"""python -m firstcause."""

from firstcause.cli import main

main()
