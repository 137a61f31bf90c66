"""Runs the benchmarks.

python -m benches [NAME…] [--keep] the fleet: all of NAMES, or those that are named
python -m benches loop [OPTION…]   the event loop against its rivals
python -m benches gui [OPTION…]    a Blender with windows: frame rate, idle cost, latency
python -m benches web [OPTION…]    the web server against its rivals, and beside Blender
"""

from __future__ import annotations

import importlib
import sys

NAMES = ("warm_against_cold", "status_latency", "fleet_overhead", "fleet_scaling", "fleet_memory")


def main(chosen: list[str]) -> int:
    """Return 0 if every goal is met, 1 if one is not."""
    if chosen[:1] == ["loop"]:
        from benches.loop import suite

        return 0 if suite.main(chosen[1:]) else 1
    if chosen[:1] == ["gui"]:
        from benches.gui import suite as gui_suite

        return 0 if gui_suite.main(chosen[1:]) else 1
    if chosen[:1] == ["web"]:
        from benches.web import suite as web_suite

        return 0 if web_suite.main(chosen[1:]) else 1
    is_kept = "--keep" in chosen
    names = [name for name in chosen if name != "--keep"]
    for name in names:
        if name not in NAMES:
            print(
                f"there is no benchmark `{name}`\n"
                f"hint: choose from loop, gui, web, {', '.join(NAMES)}"
            )
            return 2
    met = [importlib.import_module(f"benches.{name}").main(is_kept) for name in names or NAMES]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
