"""Requests on stdin in, measurements of one contestant on stdout out: the process that every contestant runs in.

    python benchmarks/subject.py NAME THREADS

A request is a line of JSON. `{"begin": WORKLOAD}` makes the contestant anew, `{"turn": SECONDS}` trains whole epochs
for at least so long. `{"digits": FILE, "epochs": N}` is a whole process instead: it reads the table, trains, measures
the held-out rows and ends. Nothing is imported before the number of threads is set.
"""

from __future__ import annotations

import json
import os
import sys
import time

PEAK = "peak"
"""The contestant that measures what the machine's matrix products reach."""


def use_cores(threads):
    """Leave so many of the cores to this process. Frameworks whose threads cannot be set count the cores."""
    if threads and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def main():
    name, threads = sys.argv[1], int(sys.argv[2])
    use_cores(threads)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if name.startswith("Keras"):
        os.environ["KERAS_BACKEND"] = name.rpartition(" ")[2].lower()
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    contestant = None
    epochs = 0
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "begin" in request:
                contestant, answer, epochs = *begin(name, request["begin"], threads), 0
            elif "turn" in request:
                epochs, answer = turn(contestant, epochs, request["turn"])
            else:
                answer = digits(name, request, threads)
        except Exception as error:
            import traceback

            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def begin(name, given, threads):
    """The contestant with the workload's steps in an epoch, and what it says of itself."""
    if name == PEAK:
        from trainer_cli.training.profile import peak

        return (lambda: peak(threads, 3), None), {}
    import peers
    from workloads import Workload

    workload = Workload(**{**given, "shape": tuple(given["shape"])})
    made = peers.begin(name, workload, *workload.rows(), threads)
    return (made.epoch, workload.steps), {"parameters": made.parameters, **made.facts}


def turn(contestant, epochs, seconds):
    """Train for a while: microseconds per step and the mean loss of the last epoch; or measure the peak."""
    run, steps = contestant
    if steps is None:
        return epochs, {"peak": run()}
    count, loss = 0, float("nan")
    cpu, began = time.process_time(), time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        loss = run(epochs + count)
        count += 1
    cpu = time.process_time() - cpu
    each = 1e6 / (count * steps)
    return epochs + count, {"microseconds": passed * each, "cpu_microseconds": cpu * each, "loss": loss}


def digits(name, request, threads):
    """Train on most rows of the handwritten digits, and measure the others."""
    import numpy as np
    import peers
    from workloads import DIGITS

    table = np.loadtxt(request["digits"], delimiter=",", skiprows=1, dtype=np.float32)
    table = np.random.default_rng(0).permutation(table)  # its last rows are by other hands
    x, y = table[:, :-1] / 16.0, table[:, -1].astype(np.int32)
    rows = DIGITS.batch * DIGITS.steps
    made = peers.begin(name, DIGITS, np.ascontiguousarray(x[:rows]), y[:rows], threads)
    for number in range(request["epochs"]):
        made.epoch(number)
    return {"accuracy": float((made.scores(x[rows:]).argmax(-1) == y[rows:]).mean())}


if __name__ == "__main__":
    main()
