"""Run by the worker as a script, once for each document: the way into ``portal.previews.fenced`` and nothing else.

The packages around it are put up empty, for running them would bring in all of the portal, which takes a second and
knows what this process must not.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent

for name, directory in (("portal", HERE.parent), ("portal.previews", HERE)):
    package = ModuleType(name)
    package.__path__ = [str(directory)]
    sys.modules[name] = package

import_module("portal.previews.fenced.running").main()
