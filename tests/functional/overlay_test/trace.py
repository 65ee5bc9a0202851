# SPDX-License-Identifier: GPL-2.0-or-later
"""The device's trace events (hw-xen/qom/trace-events), as QEMU logs them."""

import re

EVENT = re.compile(r'^(?:\d+@\d+\.\d+:)?xen_overlay_(\w+) ?(.*)$', re.M)
FAILURE = re.compile(r'\bret=-\d')


class OverlayTrace:
    """The events of a log: a list of (name, text)."""

    # For QEMU's command line.
    ARGUMENTS = ('-trace', 'xen_overlay_*')

    def __init__(self, log: str) -> None:
        self.events = [(match.group(1), match.group(2).strip())
                       for match in EVENT.finditer(log)]

    def texts(self, name: str, done: bool = False) -> list[str]:
        """The texts of the events called `name`; `done`: of those that did
        not fail."""
        return [text for event, text in self.events if event == name
                and not (done and FAILURE.search(text))]

    def field(self, name: str, key: str, done: bool = False) -> list[str]:
        """The values of `key=value` in the events called `name`."""
        values = []
        for text in self.texts(name, done):
            match = re.search(rf'\b{key}=(\S+)', text)
            if match:
                values.append(match.group(1))
        return values

    def failures(self) -> list[str]:
        """Events that tell of an error."""
        return [f'{name} {text}' for name, text in self.events
                if FAILURE.search(text)]
