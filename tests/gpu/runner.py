# SPDX-License-Identifier: LGPL-2.1-or-later
"""Steps with time limits, alone or several at once, and a report that is written after each of them."""
import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

SHORTEST = 5  # seconds; with less left no step begins
KEPT = 20000  # characters of a failed program's output


class Skip(Exception):
    """A step that cannot be done here, and why."""


class Failure(Exception):
    """A step that went wrong, and how; `output` is what the program wrote."""

    def __init__(self, reason, output=""):
        super().__init__(reason)
        self.output = output


class OutOfTime(Exception):
    """A step that took longer than it may; `output` is what the program wrote."""

    def __init__(self, output=""):
        super().__init__("out of time")
        self.output = output


def last_lines(text, count):
    return "\n".join(text.strip().splitlines()[-count:])


def compact(value):
    """A result in one line, without the lists in it, which are for report.json."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {compact(part)}" for key, part in value.items() if not isinstance(part, list))
    return "" if value is None else " ".join(str(value).split())


class Step:
    def __init__(self, name, function, arguments, seconds, reserve, pool, device):
        self.name, self.function, self.arguments = name, function, arguments
        self.seconds, self.reserve, self.pool, self.device = seconds, reserve, pool, device
        self.entry = {"name": name, "status": "waiting"}
        self.ends = None  # time.monotonic() at which it is stopped

    def slug(self):
        return re.sub(r"\W+", "-", self.name).strip("-")


class Runner:
    """`pools` maps a pool's name to how many of its steps run at once; steps without a pool run alone. `make_table`
    makes further Markdown from the steps' entries. At `ends`, of time.monotonic(), everything is over. `missing` says
    why there is no device, once a step has set it."""

    def __init__(self, report, options, ends, pools, make_table):
        self.report, self.pools, self.make_table = report, pools, make_table
        self.only, self.skip = re.compile(options.only), re.compile(options.skip) if options.skip else None
        self.ends, self.steps, self.missing, self.environment = ends, [], None, dict(os.environ)
        self.lock, self.local = threading.RLock(), threading.local()
        self.processes = set()
        report.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.stopped)

    def add(self, name, function, *arguments, seconds=120, reserve=0, pool=None, device=True):
        """`seconds`: at most; `reserve`: what it leaves for later steps. `device`: needs one; what needs none cannot be
        left out, and comes first."""
        if not device or self.only.search(name) and not (self.skip and self.skip.search(name)):
            self.steps.append(Step(name, function, arguments, seconds, reserve, pool, device))

    # ---- programs -------------------------------------------------------------------------------

    def start(self, *command, env=None, **options):
        """A process in a group of its own, so that what it starts ends with it."""
        process = subprocess.Popen([str(word) for word in command], text=True, process_group=0,
                                   env={**self.environment, **(env or {})}, **options)
        with self.lock:
            self.processes.add(process)
        return process

    def end(self, process):
        with self.lock:
            self.processes.discard(process)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def is_late(self):
        return time.monotonic() >= self.local.step.ends

    def left(self):
        """Seconds that the current step may still take."""
        if self.is_late():
            raise OutOfTime
        return self.local.step.ends - time.monotonic()

    def call(self, *command, env=None):
        """Output of a program. Failure where it fails, Skip at exit status 77, OutOfTime where it is not done."""
        seconds = self.left()
        process = self.start(*command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             stdin=subprocess.DEVNULL)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.end(process)
            raise OutOfTime("".join(process.communicate())) from None
        finally:
            self.end(process)
        if process.returncode == 77:
            raise Skip(last_lines(out + err, 1))
        if process.returncode != 0:
            raise Failure(f"{pathlib.Path(str(command[0])).name}: exit status {process.returncode}: "
                          + last_lines(out + err, 8), out + err)
        return out

    # ---- steps ----------------------------------------------------------------------------------

    def do(self, step):
        begin, entry, ends = time.monotonic(), step.entry, self.ends - step.reserve
        entry["status"] = "running"
        self.local.step = step
        step.ends = min(begin + step.seconds, ends)
        try:
            if ends - begin < SHORTEST:
                raise Skip("no time left")
            if step.device and self.missing:
                raise Skip(self.missing)
            entry["result"] = step.function(*step.arguments)
            entry["status"] = "passed"
        except Skip as reason:
            entry.update(status="skipped", reason=str(reason))
        except OutOfTime as slow:
            mine = begin + step.seconds <= ends
            entry.update(status="failed" if mine else "skipped", output=slow.output[-KEPT:],
                         reason=f"took longer than {step.seconds:.0f} s" if mine else "no time left: was stopped")
        except (Failure, OSError, LookupError, ValueError, ArithmeticError) as failure:
            entry.update(status="failed", reason=str(failure) or type(failure).__name__,
                         output=getattr(failure, "output", "")[-KEPT:])
        entry["seconds"] = round(time.monotonic() - begin, 1)
        with self.lock:
            self.write()  # first: what is printed is in the report
            print(f"{entry['status']:8}{entry['seconds']:7.1f} s  {step.name}: "
                  f"{entry.get('reason') or compact(entry.get('result'))}", flush=True)

    def run(self):
        """All steps in their order; neighbours of one pool at once. Returns how many ended in which way."""
        for pool, steps in itertools.groupby(self.steps, lambda step: step.pool):
            with concurrent.futures.ThreadPoolExecutor(self.pools.get(pool, 1)) as executor:
                for done in [executor.submit(self.do, step) for step in steps]:
                    done.result()
        self.end_all()
        return self.write()

    def end_all(self):
        for process in list(self.processes):
            self.end(process)

    def stopped(self, number, _frame):
        self.end_all()
        for step in self.steps:
            if step.entry["status"] in ("running", "waiting"):
                step.entry.update(status="skipped", reason=f"stopped by {signal.Signals(number).name}")
        self.write()
        sys.stdout.flush()
        os._exit(1)  # the steps' threads know nothing of it

    # ---- report ---------------------------------------------------------------------------------

    def write(self):
        with self.lock:
            entries = [step.entry for step in self.steps]
            count = {status: sum(e["status"] == status for e in entries) for status in ("passed", "failed", "skipped")}
            lines = ["# GPU report", "", ", ".join(f"{n} {status}" for status, n in count.items()) + ".", "",
                     *self.make_table(entries), "## Steps", "", "| step | status | seconds | result |",
                     "|---|---|---|---|"]
            for e in entries:
                text = " ".join((e.get("reason") or compact(e.get("result"))).split())
                lines.append(f"| {e['name']} | {e['status']} | {e.get('seconds', '')} | {text[:600]} |")
            self.put("report.json", json.dumps({"count": count, "steps": entries}, indent=2) + "\n")
            self.put("report.md", "\n".join(lines).replace("\n\n\n", "\n\n") + "\n")
            return count

    def put(self, name, text):
        """A whole file or the one before it, whenever the run is killed."""
        path = self.report / f".{name}"
        path.write_text(text, encoding="utf-8")
        path.replace(self.report / name)
