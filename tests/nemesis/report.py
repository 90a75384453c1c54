"""What a run did and what the checker found, as lines."""
import collections

from history import End, Read, Write

SHOWN_MAX = 5  # Of each kind.


def calls(events):
    """Calls by kind and outcome."""
    counts = collections.Counter()
    for event in events:
        if isinstance(event, Write):
            counts[f"writes {event.outcome}"] += 1
        elif isinstance(event, Read):
            counts["reads answered" if event.error == 0 else "reads with an error"] += 1
        elif isinstance(event, End):
            counts["ends answered" if event.error == 0 else "ends with an error"] += 1
    return counts


def of_errors(events):
    """What the writes of unknown outcome were told."""
    counts = collections.Counter(event.error for event in events
                                 if isinstance(event, Write) and event.error)
    return counts.most_common(8)


def _counted(counts):
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def of_verdict(verdict, events):
    """The lines about a history."""
    lines = [f"calls: {_counted(calls(events))}"]
    errors = ", ".join(f"{count} x {error}" for error, count in of_errors(events))
    lines.append(f"writes not acknowledged, by error: {errors or 'none'}")
    lines += [f"{name}: {count}" for name, count in sorted(verdict.counts.items())]
    if verdict.behind_seconds:
        lines.append(f"these were asked up to {verdict.behind_seconds:.3f} s after what they lacked "
                     f"was known")
    lines.append(f"violations: {_counted(verdict.kinds())}")
    shown = collections.Counter()
    for violation in verdict.violations:
        shown[violation.kind] += 1
        if shown[violation.kind] <= SHOWN_MAX:
            lines.append(f"  {violation.kind}, {violation.partition}: {violation.text}")
    return lines


def of_faults(done, left_out):
    lines = [f"faults: {_counted(done)}"]
    if left_out:
        lines.append(f"faults that this machine does not allow: {', '.join(left_out)}")
    return lines
