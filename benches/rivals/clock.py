"""What the rivals share: the environment in which they are fastest, and the clock.

Import it before numpy: BLAS reads the environment when it is loaded.
"""

import json
import os
import time

# Some images set these for another processor, and numpy's products take half as long again with them.
for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(variable, None)
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
THREADS = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))


def tune(scipy=1):
    """One thread for scipy's copy of OpenBLAS if not more, the others for numpy's: with more in both, they often fight."""
    from threadpoolctl import ThreadpoolController

    for pool in ThreadpoolController().lib_controllers:
        pool.set_num_threads(scipy if "scipy.libs" in (pool.filepath or "") else THREADS)


def report(rival, task, repeats, judge=lambda value: value):
    """Runs a task several times and prints one JSON object: the seconds of each, and what is to say of the last result."""
    seconds, cpu_seconds, value = [], [], None
    for _ in range(repeats):
        start, cpu_start = time.perf_counter(), cpu()
        value = task()
        seconds.append(round(time.perf_counter() - start, 6))
        cpu_seconds.append(round(cpu() - cpu_start, 6))
    print(json.dumps({"rival": rival, "seconds": seconds, "cpu_seconds": cpu_seconds, "value": judge(value)}), flush=True)


def cpu():
    """The CPU seconds of this process and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
