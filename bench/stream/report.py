"""The tables, the same for the terminal and for docs/benchmarks.md, and the picture beside them."""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from bench.stream.results import Results, median, title

BASELINE = "runs"
BEGIN, END = "<!-- bench.stream begins -->", "<!-- bench.stream ends -->"


def tables(results: Results) -> str:
    """All tables, as Markdown."""
    parts = [f"Measured on {results.machine}; {_settings(results)}."]
    for records in sorted(results.throughput):
        parts.append(f"{_spaced(records)} records, drained and verified, medians:")
        parts.append(_throughput_table(results, records))
    if results.latency:
        rate = results.settings["rate_per_s"]
        parts.append(f"A steady {rate} records a second, linger {results.settings['latency_linger_ms']} ms:")
        parts.append(_latency_table(results))
    if failures := results.settings.get("failures"):
        parts.append("Workers that died or got stuck, tried again: " + "; ".join(failures) + ".")
    return "\n\n".join(parts)


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _settings(results: Results) -> str:
    settings = results.settings
    return (
        f"at least once, acks all, no compression, commit interval {settings['commit_ms']} ms, "
        f"linger {settings['linger_ms']} ms, {settings['partitions']} partitions, "
        f"{settings['read_bytes']:.0f} bytes a read, one worker, the broker on the same machine"
    )


def _throughput_table(results: Results, records: int) -> str:
    engines = results.throughput[records]
    ours = median(engines[BASELINE]) if BASELINE in engines else None
    rows = [
        "| engine | runs | records/s | CPU s per 100 k | second half | CPU against ours | second half | peak RSS, MB "
        "| changelog records |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in engines.items():
        found = median(runs)
        ratio = f"{found.cpu_s_per_100k / ours.cpu_s_per_100k:.2f}" if ours else ""
        warmed = f"{found.warmed_cpu_s_per_100k / ours.warmed_cpu_s_per_100k:.2f}" if ours else ""
        rows.append(
            f"| {title(name)} | {len(runs)} | {found.records_per_s:.0f} | {found.cpu_s_per_100k:.2f} "
            f"| {found.warmed_cpu_s_per_100k:.2f} | {ratio} | {warmed} | {found.peak_rss_mb:.0f} "
            f"| {found.changelog_records:.0f} |"
        )
    return "\n".join(rows)


def _latency_table(results: Results) -> str:
    rows = ["| engine | runs | p50, ms | p99, ms | largest, ms | cores |", "|---|---|---|---|---|---|"]
    for name, runs in results.latency.items():
        found = median(runs)
        rows.append(
            f"| {title(name)} | {len(runs)} | {found.p50_ms:.0f} | {found.p99_ms:.0f} | {found.max_ms:.0f} "
            f"| {found.cores:.2f} |"
        )
    return "\n".join(rows)


def write_docs(page: Path, text: str) -> None:
    """Put the tables between the two marks of a page; what stands around them is left alone.

    Raises:
        ValueError: the page lacks the marks.
    """
    before = page.read_text()
    block = f"{BEGIN}\n{text}\n{END}"
    after, count = re.subn(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: block, before, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{page} must have the lines {BEGIN} and {END} once")
    page.write_text(after)


def write_plot(path: Path, results: Results) -> None:
    """Two bar charts of the largest run, as SVG: records per second and CPU seconds per 100 thousand records."""
    records = max(results.throughput)
    found = {title(name): median(runs) for name, runs in results.throughput[records].items()}
    amount = f"{_spaced(records)} records"
    charts = [
        (f"records per second ({amount}; more is better)", {name: one.records_per_s for name, one in found.items()}),
        ("worker CPU seconds per 100 thousand (less is better)", {n: one.cpu_s_per_100k for n, one in found.items()}),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_svg(charts))


WIDTH, LABEL_WIDTH, BAR_HEIGHT, BAR_STEP, HEADING = 720, 200, 18, 26, 34


def _svg(charts: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Horizontal bars; lengths are linear and start at zero."""
    shapes: list[str] = []
    y = 0
    for heading, values in charts:
        shapes.append(f'<text x="8" y="{y + 22}" class="heading">{escape(heading)}</text>')
        y += HEADING
        largest = max(values.values())
        for name, value in values.items():
            length = value / largest * (WIDTH - LABEL_WIDTH - 90)
            kind = "ours" if name == title(BASELINE) else "peer"
            shown = f"{value:.0f}" if value >= 100 else f"{value:.2f}"
            middle = y + BAR_HEIGHT - 4
            shapes += [
                f'<text x="{LABEL_WIDTH - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{LABEL_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR_HEIGHT}" class="{kind}"/>',
                f'<text x="{LABEL_WIDTH + length + 6:.1f}" y="{middle}">{shown}</text>',
            ]
            y += BAR_STEP
        y += 12
    style = (
        "text{font:13px sans-serif;fill:#333}.heading{font-weight:bold}.ours{fill:#1f6feb}.peer{fill:#9aa4af}"
        "svg{background:#fff}"
    )
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">\n'
        f"<style>{style}</style>\n{body}\n</svg>\n"
    )
