# SPDX-License-Identifier: Apache-2.0
"""A decoder in a process of its own, so that one of any language can be timed.

Its last two arguments are a file with an answer and the bytes of a chunk. For each line with a
number N on its standard input it decodes the answer N times and prints one line:

    FRAMES HEADERS PAYLOAD TEXT NS

what it found in the last pass, with - for a text it does not read, and the nanoseconds of the
fastest pass: the processor is shared with whatever else the machine does.
"""
import contextlib
import statistics
import subprocess

WARM_UP_PASSES = 200  # a compiler at run time needs this many
LONG_NS = 500e6  # a pass that takes so long is neither warmed up nor repeated
BATCH_NS = 20e6  # what one decoder takes of a round, or what these passes take:
PASSES_MIN = 20


class Wrong(Exception):
    """A decoder did not find what is in the answer: no time means anything."""


class Decoder:
    """`libraries` follow the chunk; what it answers to is in the text above."""

    def __init__(self, name, *command, libraries=()):
        self.name, self.command, self.libraries = name, command, libraries

    def start(self, answer, path, chunk):
        self.answer, self.ns, self.passes = answer, [], 1
        self.process = subprocess.Popen(
            [str(part) for part in (*self.command, path, chunk, *self.libraries)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def warm_up(self):
        """Decode until it gets no faster; that says how many passes make a batch."""
        if self.decode(1) < LONG_NS:
            self.passes = max(PASSES_MIN, round(BATCH_NS / self.decode(WARM_UP_PASSES)))

    def decode(self, passes):
        with contextlib.suppress(BrokenPipeError):  # it ended; nothing can be read either
            self.process.stdin.write(f"{passes}\n")
            self.process.stdin.flush()
        said = self.process.stdout.readline().split()
        wanted = [str(count) for count in self.answer.found]
        if said[:4] not in (wanted, [*wanted[:3], "-"]):
            found = " ".join(said[:4]) or "nothing"
            raise Wrong(f"{self.name}: found {found} in an answer of {' '.join(wanted)}")
        return float(said[4])

    def stop(self):
        self.process.communicate()


class Times:
    """What decoders took, round by round."""

    def __init__(self, ns):
        self.ns = ns

    def ratio(self, slower, faster):
        """How many times as long the one takes as the other: the median of the rounds."""
        return statistics.median(a / b for a, b in zip(self.ns[slower], self.ns[faster]))

    def has(self, name):
        return name in self.ns

    def table(self, frames):
        yield f"{'decoder':<34} {'ns/frame':>11} {'p10':>11} {'p90':>11} {'ratio':>9}"
        base = next(iter(self.ns))
        for name, ns in self.ns.items():
            tenths = statistics.quantiles(ns, n=10, method="inclusive") if len(ns) > 1 else ns
            figures = (value / frames for value in (statistics.median(ns), tenths[0], tenths[-1]))
            yield "".join([f"{name:<34}", *(f" {figure:>11.1f}" for figure in figures),
                           f" {self.ratio(name, base):>9.2f}"])


def race(decoders, answer, path, chunk, rounds):
    """Time decoders in turn, a batch of passes each, for so many rounds."""
    try:
        for decoder in decoders:
            decoder.start(answer, path, chunk)
        for decoder in decoders:
            decoder.warm_up()
        for _ in range(rounds):
            for decoder in decoders:
                decoder.ns.append(decoder.decode(decoder.passes))
    finally:
        for decoder in decoders:
            if hasattr(decoder, "process"):
                decoder.stop()
    return Times({decoder.name: decoder.ns for decoder in decoders})
