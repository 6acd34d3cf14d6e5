# SPDX-License-Identifier: Apache-2.0
"""A real Docker engine, in namespaces of its own, and a user who may use it.

Nothing of it is seen outside: its network, its mounts and its socket end with it, and it ends with
us. What takes long to make, base image and layers, is kept in build/container for the next run.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[2]
CACHE = SOURCE / "build" / "container"
BASE = "debian:bookworm-slim"
BRIDGE, PORT = "172.17.0.1", 3128
PROGRAMS = ("dockerd", "docker", "docker-compose", "mmdebstrap", "unshare", "nsenter", "setpriv")
START_S, STOP_S = 60, 30
WITH_US = ["setpriv", "--pdeathsig=TERM", "--"]


def missing():
    """Why there can be no engine here, or None."""
    if os.geteuid() != 0:
        return "an engine of our own needs root"
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    if absent:
        return f"not installed: {' '.join(absent)}"
    if subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True).returncode:
        return "namespaces are not permitted here"
    return None


class Engine:
    """The daemon. `socket` is where its clients of group `group` find it."""

    def __init__(self, group):
        self.directory = Path(tempfile.mkdtemp(prefix="q-engine."))
        self.directory.chmod(0o755)
        self.socket = self.directory / "docker.sock"
        self._cgroup = f"q-engine-{os.getpid()}"
        self._log = open(self.directory / "log", "w+")
        self._proxy = None
        self._daemon = self._start(group)

    def _start(self, group):
        # the socket directory is short: a socket's path is limited to 107 bytes
        options = {
            "data-root": CACHE / "docker",
            "exec-root": self.directory / "exec",
            "pidfile": self.directory / "pid",
            "host": f"unix://{self.socket}",
            "group": group,
            "bip": f"{BRIDGE}/16",
            "cgroup-parent": f"/{self._cgroup}",
            "oom-score-adjust": 0,  # less would take rights that a container of ours may lack
        }
        (CACHE / "docker").mkdir(parents=True, exist_ok=True)
        namespaces = ["unshare", "--mount", "--net", "--propagation", "private"]
        command = [
            *WITH_US,
            *namespaces,
            "sh",
            "-c",
            'ip link set lo up && exec dockerd "$@"',
            "dockerd",
        ]
        command += [f"--{name}={value}" for name, value in options.items()]
        return subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def wait(self):
        """Return when it answers."""
        give_up = time.monotonic() + START_S
        while self.docker("version", check=False).returncode != 0:
            if self._daemon.poll() is not None or time.monotonic() > give_up:
                self._log.seek(0)
                raise RuntimeError("dockerd did not start:\n" + self._log.read()[-2000:])
            time.sleep(0.05)

    def docker(self, *args, check=True):
        """The command line client, as root and without anybody's configuration."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.directory)}
        command = ["docker", "--host", f"unix://{self.socket}", *map(str, args)]
        return subprocess.run(command, env=env, check=check, capture_output=True, text=True)

    def make_base(self):
        """The image that FROM lines name, made of Debian's packages; there is no registry."""
        if self.docker("image", "inspect", BASE, check=False).returncode == 0:
            return
        archive = CACHE / "base.tar"
        if not archive.exists():
            part = archive.with_suffix(".part")
            without = [f"path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
            command = ["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar"]
            command += [f"--dpkgopt={line}" for line in without]
            subprocess.run([*command, "bookworm", part], check=True)
            part.rename(archive)
        self.docker("import", archive, BASE)

    def connect(self, service_port):
        """Give its containers a way to the stand-in, and to Debian's packages."""
        enter = ["nsenter", "--target", str(self._daemon.pid), "--net"]
        command = [*WITH_US, *enter, sys.executable, "-u", str(HERE / "proxy.py")]
        command += ["--outside", str(os.getpid()), "--port", str(PORT)]
        command += ["--service", str(service_port), "--cache", str(CACHE / "packages")]
        self._proxy = subprocess.Popen(command, stdout=subprocess.PIPE)
        if not self._proxy.stdout.readline():
            raise RuntimeError(f"proxy: did not start, exit code {self._proxy.wait()}")

    def stop(self):
        containers = self.docker("ps", "--all", "--quiet", check=False).stdout.split()
        if containers:
            self.docker("rm", "--force", *containers, check=False)
        self.docker("image", "prune", "--force", check=False)
        for process in (self._proxy, self._daemon):
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(STOP_S)
        if self._proxy:
            self._proxy.stdout.close()
        self._log.close()
        for group in Path("/sys/fs/cgroup").glob(f"**/{self._cgroup}"):
            for directory, _, _ in os.walk(group, topdown=False):
                os.rmdir(directory)
        shutil.rmtree(self.directory)


class User:
    """Somebody at a terminal: a home, a login, the command, and the engine's client."""

    def __init__(self, engine, home, uid):
        self.home, self.uid = home, uid
        self.db = home / ".local/share/amazon-q/data.sqlite3"
        self.env = {
            "PATH": f"{home}/.local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(home),
            "USER": "somebody",
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(home / "run"),
            "DOCKER_HOST": f"unix://{engine.socket}",
            "DOCKER_BUILDKIT": "1",  # newer clients need not be told
        }
        self._configure()

    def _configure(self):
        """What somebody behind a proxy has in ~/.docker/config.json, and `docker compose`."""
        (self.home / "run").mkdir(mode=0o700)
        plugins = self.home / ".docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        proxy = f"http://{BRIDGE}:{PORT}"
        proxies = {"default": {"httpProxy": proxy, "httpsProxy": proxy}}
        (self.home / ".docker/config.json").write_text(json.dumps({"proxies": proxies}))
        compose = plugins / "docker-compose"
        compose.write_text((HERE / "docker-compose").read_text())
        compose.chmod(0o755)

    def prefix(self):
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--"]

    def own(self, path):
        """Make everything below it the user's."""
        for name in (path, *path.rglob("*")):
            os.chown(name, self.uid, self.uid, follow_symlinks=False)

    def run(self, *command, **options):
        """Run a command of this user; whatever it says is text."""
        values = {
            "env": self.env,
            "cwd": self.home,
            "capture_output": True,
            "text": True,
            **options,
        }
        return subprocess.run([*self.prefix(), *map(str, command)], **values)
