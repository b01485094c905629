"""One thread for linear algebra, set before numpy is imported: small matrices, and every run the same last digit."""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
