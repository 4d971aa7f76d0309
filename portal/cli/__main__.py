"""`python -m portal.cli`, for where the installed script is not the one that is meant."""

from portal.cli import main

main()
