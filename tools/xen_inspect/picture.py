# SPDX-License-Identifier: GPL-2.0-or-later
"""The answers, drawn for people: lines of no more than WIDTH columns."""

from __future__ import annotations

import textwrap
from typing import Any, Mapping, Sequence

from . import clock
from .answers import (HOST_CLOCK, NAME, OVERLAY, SHARED_INFO, STATUS,
                      VCPU_INFO, Answers, UnknownAnswer)
from .ports import ranges
from .rates import Rates

WIDTH = 79
LABEL = 19
# Ports that do not fit in so many lines are cut off: it is one screen.
PORT_LINES = 3

TOLD = {
    'hva': 'by host address (hva)',
    'gfn': 'by guest frame, at each map (gfn)',
    'gpa': 'by guest address, at each map (gpa)',
    'kernel': 'found by KVM itself (kernel)',
}
SOURCE = {'default-slot': 'slot', 'registered': 'registered', 'none': 'none'}
UPCALL = {(False, False): 'no', (True, False): 'pend', (False, True): 'mask',
          (True, True): 'both'}


def picture(answers: Answers, rates: Rates | None = None,
            age_limit: float | None = None) -> list[str]:
    """Lines that show the answers.

    rates: since an earlier look, if there was one
    age_limit: seconds that the latest clock update is old at most, if known

    Raises UnknownAnswer if the answers are not as the schema has them.
    """
    try:
        if not answers[OVERLAY]['enabled']:
            return [*_guest(answers),
                    _line('Xen', 'not emulated by this machine')]
        return [*_guest(answers), *_overlay(answers[OVERLAY]),
                *_rates(rates),
                *_shared_info(answers[SHARED_INFO]),
                *_clock(answers, age_limit), '',
                *_vcpus(answers[VCPU_INFO])]
    except KeyError as error:
        raise UnknownAnswer(f'there is no member {error}') from error
    except (TypeError, ValueError, AttributeError) as error:
        raise UnknownAnswer(str(error)) from error


def _line(label: str, text: str) -> str:
    return f'{label:<{LABEL}}{text}'


def _wrapped(label: str, text: str, limit: int | None = None) -> list[str]:
    """With the text's further lines below its first one."""
    # Of a limited text the rest is not shown, but said to exist.
    lines = textwrap.wrap(text, WIDTH - LABEL, break_on_hyphens=False,
                          max_lines=limit, placeholder=' ...')
    return [_line(label if not index else '', line)
            for index, line in enumerate(lines)]


def _guest(answers: Answers) -> list[str]:
    parts = []
    name = answers.get(NAME, {}).get('name')
    if name:
        # Whoever named it may have put anything there.
        parts.append(''.join(letter if letter.isprintable() else '?'
                             for letter in name))
    if STATUS in answers:
        parts.append(answers[STATUS]['status'])
    return _wrapped('guest', ', '.join(parts)) if parts else []


def _overlay(overlay: Mapping[str, Any]) -> list[str]:
    shared_info, default = (overlay['shared-info-backend'],
                            overlay['default-vcpu-info-backend'])
    gpa = overlay.get('shared-info-gpa')
    mode = '64-bit' if overlay['long-mode'] else '32-bit'
    place = 'not mapped' if gpa is None else f'mapped at {gpa:#x}'
    stats = overlay['stats']
    return [
        _line('shared_info', f'{place}, {mode} layout, moved by '
              f'{overlay["remap-method"]}'),
        _line('  told to KVM', TOLD.get(shared_info, shared_info)),
        _line('default vcpu_info', TOLD.get(default, default)),
        *_wrapped('KVM can', ', '.join(overlay['capabilities'])),
        *_health(overlay),
        _line('since start', f'{stats["maps"]} maps, {stats["unmaps"]} unmaps,'
              f' {stats["registrations"]} registrations, '
              f'{stats["rejected"]} rejected'),
        _line('  told to KVM', f'shared_info {stats["shared-info-sets"]}, '
              f'vcpu_info {stats["vcpu-info-sets"]}, '
              f'errors {stats["kvm-errors"]}'),
    ]


def _health(overlay: Mapping[str, Any]) -> list[str]:
    agrees = overlay.get('kernel-agrees')
    text = ('KVM not asked what it has (--verify)' if agrees is None
            else 'KVM has all as QEMU believes' if agrees
            else 'KVM HAS OTHERWISE:')
    if overlay['broken']:
        lines = _wrapped('state', 'BROKEN: an operation failed and could not '
                         'be taken back; all further ones are refused until '
                         f'QEMU ends.  {text}')
    else:
        lines = [_line('state', f'not broken, {text}')]
    for difference in overlay.get('differences', []):
        lines += _wrapped('', _difference(difference))
    return lines


def _difference(difference: Mapping[str, Any]) -> str:
    attribute = difference['attribute']
    what = attribute
    if 'cpu-index' in difference:
        what = f'vCPU {difference["cpu-index"]} {attribute}'
    if attribute.endswith('-hva'):
        # QMP has no host addresses; an absent one need not mean "none".
        return f'{what}: not what QEMU believes (host addresses stay hidden)'
    expected, actual = difference.get('expected'), difference.get('actual')
    return (f'{what}: QEMU believes '
            f'{"none" if expected is None else _value(attribute, expected)}, '
            'KVM has '
            f'{_value(attribute, actual) if actual is not None else "none"}'
            f'{" or did not answer" if actual is None else ""}')


def _value(attribute: str, value: int) -> str:
    return str(value) if attribute == 'long-mode' else f'{value:#x}'


def _rates(rates: Rates | None) -> list[str]:
    if not rates:
        return []
    return [_line('per second', f'maps {rates.maps:.1f}, registrations '
                  f'{rates.registrations:.1f}, time updates '
                  f'{rates.time_updates:.1f}')]


def _shared_info(page: Mapping[str, Any]) -> list[str]:
    pending, unmasked = page['pending-ports'], page['unmasked-ports']
    text = ranges(pending)
    masked = set(pending) - set(unmasked)
    if masked and masked != set(pending):
        text += f' (masked: {ranges(masked)})'
    elif masked:
        text += ' (masked)'
    lines = [*_wrapped('pending ports', text, PORT_LINES),
             *_wrapped('unmasked ports', ranges(unmasked), PORT_LINES)]
    # Most guests leave them alone.
    if page['max-pfn']:
        lines.append(_line('max_pfn', f'{page["max-pfn"]:#x}'))
    if page['nmi-reason']:
        lines.append(_line('nmi_reason', f'{page["nmi-reason"]:#x}'))
    return lines


def _clock(answers: Answers, age_limit: float | None) -> list[str]:
    wallclock = answers[SHARED_INFO]['wallclock']
    base = clock.wallclock_ns(wallclock)
    if base is None:
        lines = [_line('wallclock', 'not set yet (version 0)')]
    else:
        lines = [_line('wallclock', f'{clock.utc(base)}  '
                       f'version {wallclock["version"]}')]
    guest = None
    vcpu = clock.latest_update(answers[VCPU_INFO])
    if base is not None and vcpu:
        system = vcpu['time']['system-time']
        guest = base + system
        lines.append(_line(
            '  + system time', f'{clock.utc(guest)}  at the last update '
            f'(vCPU {vcpu["cpu-index"]})'))
    if HOST_CLOCK not in answers:
        return lines
    host = int(answers[HOST_CLOCK] * clock.NANO)
    lines.append(_line('host\'s clock', f'{clock.utc(host)}  now'))
    if guest is not None:
        running = answers.get(STATUS, {}).get('running', True)
        lines += _wrapped('', clock.compare(guest, host, running, age_limit))
    return lines


LEFT = {'vcpu_info', 'upcall'}


def _vcpus(vcpus: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = [_vcpu(vcpu) for vcpu in vcpus]
    if not columns:
        return []
    # Most machines number them alike.
    if all(vcpu['cpu-index'] == vcpu['vcpu-id'] for vcpu in vcpus):
        for column in columns:
            del column['id']
    rows = [list(columns[0]), *(list(column.values()) for column in columns)]
    widths = [max(map(len, cells)) for cells in zip(*rows)]
    return ['  '.join(
        f'{cell:<{width}}' if heading in LEFT else f'{cell:>{width}}'
        for heading, cell, width in zip(rows[0], row, widths)).rstrip()
        for row in rows]


def _vcpu(vcpu: Mapping[str, Any]) -> dict[str, str]:
    """Its cells, by their headings."""
    cells = {
        'cpu': str(vcpu['cpu-index']),
        'id': str(vcpu['vcpu-id']),
        'vcpu_info': SOURCE.get(vcpu['source'], vcpu['source']),
        'gpa': f'{vcpu["gpa"]:#x}' if 'gpa' in vcpu else '-',
        'sel': '-', 'upcall': '-',
        'vec': f'{vcpu["upcall-vector"]:#x}' if vcpu['upcall-vector'] else '-',
        'ver': '-', 'system s': '-', 'tsc MHz': '-', 'flags': '-',
    }
    if 'time' in vcpu:
        time = vcpu['time']
        mhz = clock.frequency_mhz(time)
        cells |= {
            'sel': f'{vcpu["pending-sel"]:#x}',
            'upcall': UPCALL[vcpu['upcall-pending'], vcpu['upcall-mask']],
            'ver': str(time['version']),
            'system s': f'{time["system-time"] / clock.NANO:.3f}',
            'tsc MHz': '-' if mhz is None else f'{mhz:.3f}',
            'flags': f'{time["flags"]:#x}',
        }
    return cells
