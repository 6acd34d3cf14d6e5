# SPDX-License-Identifier: Apache-2.0
"""Start the service, or find a running one, and drive it: what tests and the quickstart use."""

import html
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

from . import seed

PACKAGE_PARENT = Path(__file__).resolve().parent.parent
ANSWER_S, END_S = 90, 60
# Loopback is never proxied, whatever the environment says.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Service:
    """A running service. Attributes: url, tls_url, control_url, ca, dir, pid."""

    def __init__(self, facts, process=None):
        self.url, self.tls_url = facts["url"], facts["tls_url"]
        self.control_url, self.ca = facts["control_url"], facts["ca"]
        self.dir, self.pid = facts["dir"], facts["pid"]
        self._process, self._own_dir = process, None

    @classmethod
    def attach(cls, directory):
        """The service that runs with `directory`."""
        return cls(json.loads(Path(directory, "ready.json").read_text()))

    @classmethod
    def start(cls, directory=None, port=0, tls_port=0):
        """Start a service that ends with this process, or at stop()."""
        own = None if directory else tempfile.mkdtemp(prefix="qservice.")
        command = [sys.executable, "-m", "qservice", "--dir", directory or own, "--stdin-lifetime"]
        command += ["--port", str(port), "--tls-port", str(tls_port)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT), "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,  # a Ctrl-C is for the tests; the service then ends by its stdin
        )
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"stand-in service: did not start, exit code {process.wait()}")
        service = cls(json.loads(line), process)
        service._own_dir = own
        return service

    def stop(self):
        """End a service that start() began; return its exit code."""
        self._process.stdin.close()
        code = self._process.wait(END_S)
        self._process.stdout.close()
        if self._own_dir:
            shutil.rmtree(self._own_dir, ignore_errors=True)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def control(self, name, **body):
        """Call the control API; ValueError says what the service found wrong."""
        request = urllib.request.Request(
            self.control_url + name,
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=ANSWER_S) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            kind = TimeoutError if error.code == 408 else ValueError
            raise kind(json.load(error)["error"]) from None

    def counters(self):
        return self.control("counters")

    def calls(self, operation):
        """How often an operation was called, e.g. "CreateToken:refresh_token"."""
        return self.counters().get(operation, 0)

    def requests(self, operation):
        """The recorded requests of an operation, oldest first, secrets masked."""
        return self.control("requests", operation=operation)

    def fault(self, operation, *faults, **members):
        """Queue one fault given by name, or several given as dictionaries."""
        return self.control("fault", operation=operation, faults=list(faults) or [members])

    def settings(self, **changes):
        return self.control("settings", **changes)

    def reset(self, logins=False):
        return self.control("reset", logins=logins)

    def login(self, **wishes):
        """Issue a login: start_url, profile, expires_in (negative: expired), client_lifetime."""
        return self.control("login", **wishes)

    def wait(self, operation, timeout_s=60, **count):
        """Wait for calls=N, held=N or disconnects=N of an operation; TimeoutError else."""
        return self.control("wait", operation=operation, timeout_s=timeout_s, **count)

    def release(self):
        return self.control("release")

    def seed(self, database, **options):
        """Put a login issued here into a database of the existing CLI (see seed.seed)."""
        return seed.seed(self, database, **options)

    def seed_kiro(self, database, **options):
        """Put one issued here into a database of the Kiro CLI (see seed.seed_kiro)."""
        return seed.seed_kiro(self, database, **options)

    def approve(self, url, approve=True):
        """Be the browser: open an authorize or device page, press a button; return the redirect."""
        action = "approve" if approve else "deny"
        parts = urlsplit(url)
        if parts.path == "/device":
            code = dict(pair.split("=") for pair in parts.query.split("&"))["user_code"]
            return self._press(url, {"user_code": code, "action": action})
        page = self._open(url)
        if page.status == 302:
            return page.headers["location"]
        hidden = page.read().decode().split('name="request" value="')[1].split('"')[0]
        return self._press(url, {"request": html.unescape(hidden), "action": action})

    def _press(self, url, form):
        reply = self._open(urljoin(url, urlsplit(url).path), urlencode(form).encode())
        return reply.headers.get("location")

    def _open(self, url, data=None):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
        try:
            return opener.open(url, data, timeout=ANSWER_S)
        except urllib.error.HTTPError as error:
            if error.code == 302:
                return error
            raise


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
