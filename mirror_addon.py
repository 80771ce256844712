"""What `mitmdump -s mirror_addon.py` loads: it builds the addon, and holds no logic of its own.

mitmproxy watches this file alone and reloads it when it changes; all code is in `traffic_mirror`.
"""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

try:
    from traffic_mirror.edge.addon import MirrorAddon
except ModuleNotFoundError as missing:
    logging.getLogger("traffic_mirror").error(
        "mirror: the Python package %r is missing from the environment that runs mitmproxy (%s). "
        "Run `pip install .` there, in the folder of mirror_addon.py, or use `make run`.",
        missing.name,
        sys.executable,
    )
    sys.exit(1)

addons = [MirrorAddon(Path(__file__).resolve().parent / "config" / "mirror.yaml")]
