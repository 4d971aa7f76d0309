"""Distributions: many files, each for its own person or group, put into a category that nobody else may read."""

from portal.uploads.distributing.lines import Line, read_lines
from portal.uploads.distributing.looking import (
    DistributionRow,
    FileRow,
    get_distribution,
    list_distributions,
    list_files,
    list_reasons,
)
from portal.uploads.distributing.making import (
    MOST_FILES,
    add_distribution,
    add_files,
    change_notice,
    drop_distribution,
    refuse_file,
    set_lines,
    set_pattern,
    take_out,
)
from portal.uploads.distributing.planning import OUTCOMES, Dropped, Plan, Planned, plan_distribution, plan_files
from portal.uploads.distributing.running import (
    AT_ONCE,
    LOOK,
    finish,
    run_distributions,
    start_distribution,
    stop_distribution,
)
from portal.uploads.distributing.taking import foresee_directory, take_directory

__all__ = [
    "AT_ONCE",
    "LOOK",
    "MOST_FILES",
    "OUTCOMES",
    "DistributionRow",
    "Dropped",
    "FileRow",
    "Line",
    "Plan",
    "Planned",
    "add_distribution",
    "add_files",
    "change_notice",
    "drop_distribution",
    "finish",
    "foresee_directory",
    "get_distribution",
    "list_distributions",
    "list_files",
    "list_reasons",
    "plan_distribution",
    "plan_files",
    "read_lines",
    "refuse_file",
    "run_distributions",
    "set_lines",
    "set_pattern",
    "start_distribution",
    "stop_distribution",
    "take_directory",
    "take_out",
]
