"""Bar charts as SVG, by gnuplot."""

import pathlib
import shutil
import subprocess


def bars(path, title, labels, series, line=None, log=False):
    """Writes a group of bars for each label, one of each series: [(name, [number or None, ...])]. line: a value that a
    horizontal line marks; log: on a logarithmic scale, from 1. False, and no file, where gnuplot is not installed or there is nothing to draw."""
    pathlib.Path(path).unlink(missing_ok=True)  # none is better than that of another run
    if shutil.which("gnuplot") is None or not any(v is not None for _, values in series for v in values):
        return False
    data = "\n".join(f'"{label}" ' + " ".join("?" if values[n] is None else f"{values[n]:.4f}" for _, values in series)
                     for n, label in enumerate(labels))
    plots = ", ".join(f"$data using {i + 2}{':xtic(1)' if i == 0 else ''} title '{name}'"
                      for i, (name, _) in enumerate(series))
    mark = f"set arrow from graph 0, first {line} to graph 1, first {line} nohead lw 1.5 lc rgb '#444444' front"
    script = f"""set terminal svg size 800,420 font 'sans-serif,13' background '#ffffff'
set output '{path}'
set title "{title}"
set datafile missing '?'
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set grid ytics
{"set logscale y" if log else ""}
set yrange [{1 if log else 0}:*]
set xtics rotate by -20
{"set key off" if len(series) == 1 else "set key outside bottom center horizontal"}
{mark if line is not None else ""}
$data << end
{data}
end
plot {plots}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return True
