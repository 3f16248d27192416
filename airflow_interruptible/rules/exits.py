# SPDX-License-Identifier: Apache-2.0
"""Exit codes, which every container platform reports alike.

The trap: 137 is 128 + SIGKILL, and has a dozen senders: the kernel for memory, a runtime, a drain, a person. So a
signal proves nothing without a second witness, and only what a program does to itself is the author's.
"""

from __future__ import annotations

from airflow_interruptible.core.rule import words

CRASHES = words("132 133 134 135 136 139 141 255")
"""The program's own faults: illegal instruction, trap, abort, bus, arithmetic, segmentation, pipe; ``exit(-1)``."""

OWN = (*map(str, range(1, 129)), *CRASHES)
"""What a program exits with by itself."""

SIGNALLED = words("129 130 137 143 241 247")
"""Hang-up, interrupt, kill, terminate; 241 and 247 are the last two as unsigned bytes."""
