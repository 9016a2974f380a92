//! Plots as SVG: bars for one figure of several peers, lines for how a figure grows.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const BAR: f64 = 22.0;
const LABELS: f64 = 190.0;
/// wgi's own colour, and the others'.
const OWN: &str = "#c2410c";
const OTHER: &str = "#64748b";
const LINES: [&str; 6] = ["#c2410c", "#2563eb", "#16a34a", "#9333ea", "#ca8a04", "#64748b"];

/// Horizontal bars, the shortest first; those whose name begins with `wgi` stand out.
pub fn bars(title: &str, unit: &str, figures: &[(String, f64)]) -> String {
    let mut figures: Vec<_> = figures.iter().filter(|(_, figure)| figure.is_finite()).collect();
    figures.sort_by(|a, b| a.1.total_cmp(&b.1));
    let most = figures.last().map_or(1.0, |(_, figure)| figure.max(1e-9));
    let height = 56.0 + figures.len() as f64 * (BAR + 6.0);
    let mut svg = open(height, title);
    for (row, (name, figure)) in figures.iter().enumerate() {
        let top = 44.0 + row as f64 * (BAR + 6.0);
        let length = figure / most * (WIDTH - LABELS - 110.0);
        let colour = if name.starts_with("wgi") { OWN } else { OTHER };
        let base = top + BAR * 0.7;
        let _ = write!(
            svg,
            "<text x=\"{x}\" y=\"{base}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABELS}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>\
             <text x=\"{end:.1}\" y=\"{base}\">{figure} {unit}</text>",
            x = LABELS - 8.0,
            name = escape(name),
            end = LABELS + length + 6.0,
            figure = short(*figure),
        );
    }
    svg + "</svg>\n"
}

/// Lines over a logarithmic axis of sizes; both axes are logarithmic when `log` says so for the figures, too.
pub fn lines(title: &str, across: &str, up: &str, log: bool, series: &[(String, Vec<(f64, f64)>)]) -> String {
    let (left, top, bottom, right) = (70.0, 44.0, 330.0, WIDTH - 150.0);
    let points = || series.iter().flat_map(|(_, points)| points).filter(|(_, y)| y.is_finite());
    let scale = |value: f64, log: bool| if log { value.max(1e-9).ln() } else { value };
    let span = |figures: Vec<f64>| {
        let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (least, if most > least { most } else { least + 1.0 })
    };
    let (x0, x1) = span(points().map(|&(x, _)| scale(x.max(1.0), true)).collect());
    let (mut y0, y1) = span(points().map(|&(_, y)| scale(y, log)).collect());
    if !log {
        y0 = 0.0;
    }
    let x_at = |x: f64| left + (scale(x.max(1.0), true) - x0) / (x1 - x0) * (right - left);
    let y_at = |y: f64| bottom - (scale(y, log) - y0) / (y1 - y0) * (bottom - top);
    let mut svg = open(380.0, title);
    let _ = write!(
        svg,
        "<path d=\"M{left} {top} V{bottom} H{right}\" fill=\"none\" stroke=\"{OTHER}\"/>\
         <text x=\"{right}\" y=\"{y}\" text-anchor=\"end\">{across}</text><text x=\"8\" y=\"{label}\">{up}</text>",
        y = bottom + 36.0,
        label = top - 6.0,
        across = escape(across),
        up = escape(up),
    );
    let mut marks: Vec<f64> = points().map(|&(x, _)| x).collect();
    marks.sort_by(f64::total_cmp);
    marks.dedup();
    for mark in marks {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x_at(mark),
            bottom + 18.0,
            short(mark)
        );
    }
    for part in 0..=4 {
        let value = y0 + (y1 - y0) * f64::from(part) / 4.0;
        let value = if log { value.exp() } else { value };
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            y_at(value) + 4.0,
            short(value)
        );
    }
    for (at, (name, points)) in series.iter().enumerate() {
        let colour = LINES[at % LINES.len()];
        let path: Vec<String> = points
            .iter()
            .filter(|(_, y)| y.is_finite())
            .map(|&(x, y)| format!("{:.1},{:.1}", x_at(x), y_at(y)))
            .collect();
        let legend = top + 14.0 + at as f64 * 18.0;
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{:.1}\" y=\"{legend}\" style=\"fill:{colour}\">{}</text>",
            path.join(" "),
            right + 12.0,
            escape(name),
        );
    }
    svg + "</svg>\n"
}

fn open(height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\
         <style>text{{fill:#1f2937}}@media(prefers-color-scheme:dark){{text{{fill:#e5e7eb}}}}</style>\n\
         <title>{title}</title><text x=\"8\" y=\"22\" font-size=\"16\" font-weight=\"600\">{title}</text>\n",
        title = escape(title),
    )
}

fn short(figure: f64) -> String {
    match figure.abs() {
        x if x >= 1e6 && x % 1e6 == 0.0 => format!("{:.0} M", figure / 1e6),
        x if x >= 100.0 || x == x.trunc() => format!("{figure:.0}"),
        x if x >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
