"""Results as a Markdown table of medians, ranges and ratios."""

import statistics

#: Row, scenario, metric, unit, and whether more is better.
ROWS = [
    ("ready: 3 brokers", "start", "ready_s", "s", False),
    ("idle RSS of the largest broker", "idle", "rss_mib", "MiB", False),
    ("idle CPU of all three, % of a core", "idle", "cpu_percent", "%", False),
]
for _mode in ("P", "F"):
    for _what in ("rtt 100 B", "rtt 100 B at 100/s", "rtt 1 KiB"):
        for _metric, _unit in (("p50_us", "us"), ("p99_us", "us"), ("p999_us", "us")):
            ROWS.append((f"{_what}, {_mode}, {_metric[:-3]}", f"{_what} {_mode}", _metric, _unit,
                         False))
        for _metric in ("e2e_p50_us", "e2e_p99_us"):
            ROWS.append((f"{_what}, {_mode}, to a consumer, {_metric[4:-3]}", f"{_what} {_mode}",
                         _metric, "us", False))
        ROWS.append((f"{_what}, {_mode}, broker CPU a request", f"{_what} {_mode}",
                     "cpu_us_per_request", "us", False))
        ROWS.append((f"{_what}, {_mode}, context switches a request", f"{_what} {_mode}",
                     "switches_per_request", "", False))
for _mode, _kinds in (("P", ("all {}", "all {}, 4 partitions a request", "1 {}", "0 {}")),
                      ("F", ("all {}", "all {}, 4 partitions a request", "1 {}"))):
    for _kind in _kinds:
        _name = f"produce acks={_kind.format(_mode)}"
        ROWS.append((f"{_name}", _name, "mb_per_s", "MB/s", True))
        ROWS.append((f"{_name}, broker CPU", _name, "cpu_s_per_gb", "CPU-s/GB", False))
        ROWS.append((f"{_name}, machine CPU", _name, "machine_cpu_s_per_gb", "CPU-s/GB", False))
        ROWS.append((f"{_name}, RSS of the largest broker", _name, "rss_mib", "MiB", False))
    _half = f"produce acks=all {_mode} at half Kafka's rate"
    ROWS.append((f"{_half}, p99", _half, "p99_us", "us", False))
    ROWS.append((f"{_half}, broker CPU", _half, "cpu_s_per_gb", "CPU-s/GB", False))
ROWS.append(("fetch, page cache warm", "fetch", "mb_per_s", "MB/s", True))
ROWS.append(("fetch, broker CPU", "fetch", "cpu_s_per_gb", "CPU-s/GB", False))

#: Default against default: Garam acknowledges after the flush, Kafka before it.
DEFAULTS = [
    ("rtt 100 B, p50", "rtt 100 B F", "rtt 100 B P", "p50_us", "us", False),
    ("rtt 100 B, p99", "rtt 100 B F", "rtt 100 B P", "p99_us", "us", False),
    ("produce acks=all", "produce acks=all F", "produce acks=all P", "mb_per_s", "MB/s", True),
    ("produce acks=all, 4 partitions a request", "produce acks=all F, 4 partitions a request",
     "produce acks=all P, 4 partitions a request", "mb_per_s", "MB/s", True),
    ("produce acks=all, broker CPU", "produce acks=all F", "produce acks=all P", "cpu_s_per_gb",
     "CPU-s/GB", False),
]


def number(value):
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _spread(values):
    if not values:
        return "-"
    middle = number(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} [{number(min(values))}..{number(max(values))}]"


def _value(run, scenario, metric):
    value = run["scenarios"].get(scenario, {}).get(metric)
    return value if isinstance(value, (int, float)) and value > 0 else None


def _best_kafka(runs, scenario, metric, more):
    values = [v for v in (_value(r, scenario, metric) for r in runs) if v is not None]
    return (max(values) if more else min(values)) if values else None


def _by_round(results):
    rounds = {}
    for run in results["runs"]:
        rounds.setdefault(run["round"], {"kafka": [], "garam": []})[run["cluster"]].append(run)
    return rounds.values()


def _row(title, results, garam_scenario, kafka_scenario, metric, unit, more):
    kafka, garam, ratios = [], [], []
    for one in _by_round(results):
        k = _best_kafka(one["kafka"], kafka_scenario, metric, more)
        g = _value(one["garam"][0], garam_scenario, metric) if one["garam"] else None
        if k is not None:
            kafka.append(k)
        if g is not None:
            garam.append(g)
        if k is not None and g is not None:
            ratios.append(g / k if more else k / g)
    if not kafka and not garam:
        return None
    ratio = _spread(ratios)
    if ratios and statistics.median(ratios) < 1:
        ratio += " (Kafka is better)"
    return f"| {title} | {unit} | {_spread(kafka)} | {_spread(garam)} | {ratio} |"


def markdown(results):
    head = ["| what | unit | Kafka | Garam | times better |", "|---|---|---|---|---|"]
    lines = [f"Machine: {results['machine']}. {results['date']}, {results['profile']}, "
             f"{results['rounds']} round(s); median [lowest..highest]."]
    for version in results["versions"]:
        lines.append(f"- {version}")
    for warning in results["warnings"]:
        lines.append(f"- **Note:** {warning}")
    lines += ["", "Same durability on both sides (P: acknowledged from memory, F: after the flush):",
              "", *head]
    for title, scenario, metric, unit, more in ROWS:
        lines.append(_row(title, results, scenario, scenario, metric, unit, more))
    lines += ["", "Default against default (Garam F, Kafka P):", "", *head]
    for title, garam_scenario, kafka_scenario, metric, unit, more in DEFAULTS:
        lines.append(_row(title, results, garam_scenario, kafka_scenario, metric, unit, more))
    return "\n".join(line for line in lines if line is not None) + "\n"
