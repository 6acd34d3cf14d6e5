# SPDX-License-Identifier: Apache-2.0
"""Where things are, and how a stranger's commands are run."""
import os
import pathlib
import subprocess

SOURCE = pathlib.Path(os.environ["AQ_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["AQ_BUILD_DIR"])
CMAKE = os.environ.get("CMAKE", "cmake")
TOOLS = {"PATH": "/usr/local/bin:/usr/bin:/bin", "CC": os.environ.get("CC", "cc")}


def attempt(*command, env=None, **more):
    """Run a command with nothing in its environment but what is given; it must succeed."""
    result = subprocess.run([str(part) for part in command], env=env or {}, text=True,
                            stdin=subprocess.DEVNULL, capture_output=True, timeout=540, **more)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result


def run(*command, **options):
    """The same; its output."""
    return attempt(*command, **options).stdout
