"""Tables for people, and the registry section of docs/benchmarks.md with its chart."""
import html
import os
import platform
import statistics
import subprocess

import tools

BEGIN, END = "<!-- tests/bench/registry: begin -->", "<!-- tests/bench/registry: end -->"
CHART = "registry-benchmarks.svg"


def spread(values, digits):
    """The median, and in brackets the least and the most."""
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})"


class Table:
    """`bars`: what the chart shows of it, (tool, number), with the unit."""

    def __init__(self, title, columns, unit=None):
        self.title, self.columns, self.rows, self.bars, self.unit = title, columns, [], [], unit

    def add(self, row, bar=None):
        self.rows.append([str(cell) for cell in row])
        if bar is not None:
            self.bars.append((str(row[0]), bar))

    def text(self):
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        return "\n".join([self.title, *("  " + "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)])

    def markdown(self):
        rows = [self.columns, ["---"] * len(self.columns), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows)


def times_table(title, results):
    """`results`: tool: [Measured]. The best peer is the fastest that is not kbundle."""
    medians = {tool: statistics.median(m.wall for m in some) for tool, some in results.items()}
    best = min((time for tool, time in medians.items() if tool != "kbundle"), default=None)
    table = Table(title, ["tool", "seconds", "of best peer", "CPU seconds", "VmHWM MB"], "s")
    for tool, some in results.items():
        ratio = f"{medians[tool] / best:.2f}" if best else ""
        table.add([tool, spread([m.wall for m in some], 3), ratio,
                   spread([m.cpu for m in some], 2), f"{max(m.memory for m in some):.1f}"],
                  medians[tool])
    return table


def version_of(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "?"


def conditions(work):
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), "?")
    memory = int(open("/proc/meminfo").readline().split()[1]) * 1024 / 1e9
    debian = version_of(["dpkg-query", "-W", "-f", "${Version}", "docker-registry"])
    peers = [module.rsplit("/", 1)[1].replace("server@", "toxiproxy@").replace("@", " ")
             for module in tools.PEERS.values()]
    return (f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, Linux {platform.release()}; "
            f"{version_of([tools.KBUNDLE, '--version'])}; {', '.join(peers)}; "
            f"{version_of(['skopeo', '--version'])}; docker-registry {debian}. "
            f"Load when it ended: {os.getloadavg()[0]:.1f}.")


def svg(tables):
    """Bars, table by table; each table has a scale of its own."""
    wide, label, row, gap = 760, 130, 18, 34
    parts, y = [], 10
    for table in tables:
        parts.append(f'<text x="0" y="{y + 12}" class="title">{html.escape(table.title)}</text>')
        y += 20
        longest = max(value for _, value in table.bars)
        for tool, value in table.bars:
            length = max(1, (wide - label - 110) * value / longest)
            kind = "own" if tool.startswith("kbundle") else "peer"
            parts.append(f'<text x="0" y="{y + 13}">{html.escape(tool)}</text>'
                         f'<rect x="{label}" y="{y + 2}" width="{length:.1f}" height="{row - 4}" '
                         f'class="{kind}"/><text x="{label + length + 6:.1f}" y="{y + 13}">'
                         f'{value:.3g} {table.unit}</text>')
            y += row
        y += gap - row
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {y}" width="{wide}" '
            f'height="{y}" font-family="sans-serif" font-size="12">\n<style>text{{fill:#333}}'
            '.title{font-weight:bold}.own{fill:#2a6fb0}.peer{fill:#b5b5b5}</style>\n'
            f'<rect width="{wide}" height="{y}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n")


def write_docs(tables, where):
    document = f"{tools.ROOT}/docs/benchmarks.md"
    with open(document) as file:
        before, _, rest = file.read().partition(BEGIN)
    _, _, after = rest.partition(END)
    drawn = [table for table in tables if table.bars]
    if drawn:
        with open(f"{tools.ROOT}/docs/{CHART}", "w") as file:
            file.write(svg(drawn))
    body = "\n\n".join(table.markdown() for table in tables)
    with open(document, "w") as file:
        file.write(f"{before}{BEGIN}\n![medians; shorter is better for seconds, longer for GB/s]"
                   f"({CHART})\n\n{where}\n\n{body}\n{END}{after}")
