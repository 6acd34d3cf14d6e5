# SPDX-License-Identifier: Apache-2.0
"""A process with four threads, each with a client of its own; see harness.Workers."""

import json
import sys
import threading
import time

from library import Client, Failed

THREADS = 4


def fetch(tokens, failures, waited):
    started = time.monotonic()
    try:
        client = Client()
        tokens.append(client.access_token())
        client.close()
    except Failed as failed:
        failures.append(str(failed))
    waited.append(time.monotonic() - started)


print(json.dumps("ready"), flush=True)
for _ in sys.stdin:
    result = {"tokens": [], "failures": [], "waited": []}
    threads = [threading.Thread(target=fetch, args=result.values()) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(result), flush=True)
