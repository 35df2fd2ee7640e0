"""One thread for each test process: the processes are the parallelism."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
