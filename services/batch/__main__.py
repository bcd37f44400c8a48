"""`python -m services.batch JOB`: does what the file JOB asks for, and prints the receipt."""

import sys
from pathlib import Path

from services.batch.driver import score
from services.contract.batch_job import BatchJob
from services.contract.errors import Refused

if __name__ == "__main__":
    try:
        sys.stdout.write(score(BatchJob.read(Path(sys.argv[1]))).to_json())
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command goes on where this ended\n")
        raise SystemExit(130) from None
