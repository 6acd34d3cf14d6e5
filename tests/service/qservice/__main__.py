# SPDX-License-Identifier: Apache-2.0
"""python3 -m qservice --dir DIR [--port N] [--tls-port N] [--stdin-lifetime]"""

import argparse
import json
import os
from pathlib import Path

from .server import Server


def main():
    parser = argparse.ArgumentParser(
        prog="qservice", description="A stand-in for Amazon Q's services."
    )
    parser.add_argument("--dir", required=True, help="where ca.pem, ready.json and service.log go")
    parser.add_argument("--port", type=int, default=0, help="clear-text port (default: a free one)")
    parser.add_argument("--tls-port", type=int, default=0, help="TLS port (default: a free one)")
    parser.add_argument("--stdin-lifetime", action="store_true", help="end when stdin is closed")
    options = parser.parse_args()
    server = Server(options.dir, options.port, options.tls_port)
    server.run(lambda: _announce(server), options.stdin_lifetime)
    os._exit(0)  # connections may still be open; nothing of them is worth a report


def _announce(server):
    """One line on stdout and the same in DIR/ready.json, which is never seen half written."""
    facts = {
        "url": server.url,
        "tls_url": server.tls_url,
        "control_url": server.url + "/_control/",
        "ca": server.ca,
        "dir": str(server.directory),
        "pid": os.getpid(),
    }
    line = json.dumps(facts)
    ready = Path(server.directory, "ready.json")
    fresh = ready.with_suffix(".tmp")
    fresh.write_text(line + "\n")
    fresh.replace(ready)
    print(line, flush=True)


if __name__ == "__main__":
    main()
