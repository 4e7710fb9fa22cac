"""What a packet, a frame and a tick cost, µs: criterion's numbers (`benches/benches`)."""

import json
import shutil
import subprocess

from processes import ROOT, TARGET
from table import Row


def rows(_options):
    results = TARGET / "criterion"
    shutil.rmtree(results, ignore_errors=True)
    subprocess.run(["cargo", "bench", "--quiet", "--locked", "--package", "benches", "--benches"], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    for found in sorted(results.glob("**/new/benchmark.json")):
        name = json.loads(found.read_text())["full_id"]
        mean_ns = json.loads(found.with_name("estimates.json").read_text())["mean"]["point_estimate"]
        yield Row(f"{name}, µs", mean_ns / 1000)
