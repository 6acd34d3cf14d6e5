# SPDX-License-Identifier: Apache-2.0
"""Run by an interpreter that has the package installed: prints what it found, as JSON."""

import ctypes
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

import amazon_q_streaming_client as q

STANDARD = f"{sys.base_exec_prefix}/lib/python3"
# It takes GLib and libsecret from the desktop, or says that they are missing (ADR 13).
OF_THE_DESKTOP = "store-keyring.so"


def mapped():
    """The shared objects that this process has mapped, without the interpreter's own modules."""
    maps = Path("/proc/self/maps").read_text()
    paths = set(re.findall(r" (/\S+\.so[.\d]*)$", maps, re.M))
    return {path for path in paths if not path.startswith(STANDARD)}


before = mapped()
from amazon_q_streaming_client import _ffi  # noqa: E402

package = Path(q.__file__).parent
plugins = sorted(package.glob("lib/amazonq/plugins/*.so"))
for plugin in plugins:
    if plugin.name == OF_THE_DESKTOP:
        continue
    assert ctypes.CDLL(str(plugin)).aq_plugin_v1
loaded = mapped() - before

print(
    json.dumps(
        {
            "package": str(package),
            "version": q.__version__,
            "metadata_version": version("amazon-q-streaming-client"),
            "library_version": _ffi.version().decode(),
            "plugins": [plugin.name for plugin in plugins],
            "loaded": sorted(loaded),
            "names": [name for name in q.__all__ if getattr(q, name) is not None],
        }
    )
)
