"""The only file that people start: it sees to the environment, then hands over to the studio's own command line."""

from __future__ import annotations

import argparse
import os
import runpy
import subprocess
import sys
import time

from studio import environment, pins

HELP = """\
usage: python launch.py [WORD] [options of the word]

The first start makes the environment (.venv beside this file) and installs the tested versions; later starts take
a second or two. Without a word the page opens in the browser. The words:

  ui  doctor  check  caption  captions  prepare  train  compare  resume  tell  find-lr  report  grid
  generate  export  extract  merge  trigger  download  bench
  test [--no-checks] [pytest options]   the project's own checks and tests

`python launch.py WORD --help` tells the options of a word. Options of the start itself:

  --no-venv           use the Python that runs this, installing there what is missing
  --reinstall         make the environment anew
  --torch-index URL   where pip finds builds of torch other than the standard one. That one drives NVIDIA GPUs and the
                      CPU on Linux, the GPU on Apple silicon, the CPU on Windows. AMD GPUs, and NVIDIA GPUs on
                      Windows, need another; on Linux without a GPU another saves a large download. "Get started" on
                      PyTorch's site names the URL for a system. CRUCIBLE_TORCH_INDEX means the same.

A mirror of the package registry is set as for any pip, by PIP_INDEX_URL.
"""
CHILDREN = {  # what the studio, and everything that it starts, finds in its environment unless the user says otherwise
    "PYTHONUTF8": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
CHECKS = {
    "ruff check": ["-m", "ruff", "check", "--output-format", "concise", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "--output-format", "concise", "."],
    "mypy": ["-m", "mypy"],
    "imports": ["-c", "import sys, importlinter.cli as c; sys.exit(c.lint_imports(no_logo=True))"],
}


def main(argv: list[str]) -> int:
    if not environment.OLDEST <= sys.version_info[:2] <= environment.NEWEST:
        have = "{}.{}".format(*sys.version_info[:2])
        print(f"crucible: this is Python {have}; Crucible needs Python 3.11, 3.12 or 3.13.", file=sys.stderr)
        return 2
    wish, words = read(argv)
    if words[0] in ("-h", "--help", "help") or (words[0] == "test" and {"-h", "--help"} & set(words)):
        print(HELP, end="")
        return 0
    for name, value in CHILDREN.items():
        os.environ.setdefault(name, value)
    parts = [pins.STUDIO, pins.TESTS] if words[0] == "test" else [pins.STUDIO]
    try:
        python = environment.python_for(parts, wish, environment.Venv())
        return test(python, words[1:]) if words[0] == "test" else hand_over(python, words)
    except environment.Stop as stop:
        environment.say(str(stop))
        return stop.code
    except KeyboardInterrupt:
        environment.say("interrupted")
        return 130


def read(argv: list[str]) -> tuple[environment.Wish, list[str]]:
    """The start's own options, and the words that are left for the studio; without a word, `ui`."""
    own = argparse.ArgumentParser(prog="launch.py", add_help=False, allow_abbrev=False)
    own.add_argument("--no-venv", action="store_true")
    own.add_argument("--reinstall", action="store_true")
    own.add_argument("--torch-index", default=os.environ.get("CRUCIBLE_TORCH_INDEX", ""))
    said, words = own.parse_known_args(argv)
    return environment.Wish(said.no_venv, said.reinstall, said.torch_index), words or ["ui"]


def hand_over(python: str, words: list[str]) -> int:
    """In this very process where this is the right python (so that `accelerate launch` keeps its ranks)."""
    if python == sys.executable:
        sys.argv = [__file__, *words]
        runpy.run_module("studio.cli", run_name="__main__", alter_sys=True)
        return 0
    command = [python, os.path.abspath(__file__), *words]
    if os.name != "nt":
        os.execv(python, command)
    child = subprocess.Popen(command)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the console sends it to the child too, which ends in its own way
            continue


def test(python: str, words: list[str]) -> int:
    """Every check, one line each, then pytest, whose summary comes last unless a check had failed."""
    checks = {} if "--no-checks" in words else CHECKS
    failed = [name for name, check in checks.items() if not passes(python, name, check)]
    wanted = [word for word in words if word != "--no-checks"]
    if not wanted:  # everything: several files at once, one more than there are cores, since some wait for a browser
        wanted = ["-n", str(min((os.cpu_count() or 1) + 1, 4)), "--dist", "loadfile", "--no-loadscope-reorder"]
    code = subprocess.run([python, "-m", "pytest", *wanted], cwd=pins.ROOT).returncode
    if failed:
        environment.say(f"failed before the tests: {', '.join(failed)}")
    return code or int(bool(failed))


def passes(python: str, name: str, check: list[str]) -> bool:
    start = time.monotonic()
    done = subprocess.run(
        [python, *check], cwd=pins.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    if done.returncode:
        print(done.stdout)
    verdict = "FAILED" if done.returncode else "ok"
    print(f"{name:12} {verdict}  ({time.monotonic() - start:.1f} s)", flush=True)
    return not done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
