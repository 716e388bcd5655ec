//! The ratios as an SVG picture: a panel for each place and peer, in it two bars for each model, and a line at 1.

use std::collections::HashMap;
use std::fmt::Write;

/// A row of the CSV file by its columns.
pub type Record<'a> = HashMap<&'a str, &'a str>;

/// The metrics that are drawn, with their names in the legend and their classes.
const METRICS: [(&str, &str, &str); 2] =
    [("decode_tok_s", "decode", "decode"), ("prefill_tok_s", "prefill", "prefill")];

const PANEL_WIDTH: f64 = 420.0;
/// Left of the bars, for the names of models, and right of them, for numbers.
const LABELS: f64 = 112.0;
const NUMBERS: f64 = 44.0;
const HEADER: f64 = 40.0;
const PANEL_HEADER: f64 = 26.0;
const AXIS: f64 = 26.0;
const BAR: f64 = 9.0;
/// From one model to the next.
const STEP: f64 = 26.0;
/// The scale ends here at the least and at the most; longer bars are cut, and their numbers tell.
const SCALE: (f64, f64) = (1.5, 4.0);

const STYLE: &str = "\
    text { font: 12px system-ui, sans-serif; fill: #1f2328 }\n\
    .title { font-weight: 600 }\n\
    .number, .tick { font-size: 10px }\n\
    .end { text-anchor: end }\n\
    .middle { text-anchor: middle }\n\
    .decode { fill: #0969da }\n\
    .prefill { fill: #bc4c00 }\n\
    .grid { stroke: #8c959f; stroke-opacity: 0.35 }\n\
    .one { stroke: #1f2328; stroke-width: 1.5 }\n\
    @media (prefers-color-scheme: dark) {\n\
      text { fill: #e6edf3 }\n\
      .decode { fill: #58a6ff }\n\
      .prefill { fill: #f0883e }\n\
      .one { stroke: #e6edf3 }\n\
    }\n";

/// The bars of one model: a ratio for each of [`METRICS`].
struct Model {
    name: String,
    ratios: [Option<f64>; METRICS.len()],
}

struct Panel {
    title: String,
    models: Vec<Model>,
}

/// The picture of the latest rows.
pub fn plot<'a>(records: impl Iterator<Item = Record<'a>>) -> String {
    let records: Vec<Record> = records.collect();
    let panels = panels(&records);
    let ratios = || panels.iter().flat_map(|panel| &panel.models).flat_map(|model| model.ratios).flatten();
    let end = ((ratios().fold(SCALE.0, f64::max) * 2.0).ceil() / 2.0).min(SCALE.1);
    let rows: Vec<&[Panel]> = panels.chunks(2).collect();
    let height = |row: &[Panel]| row.iter().map(Panel::height).fold(0.0, f64::max);
    let whole = HEADER + rows.iter().map(|row| height(row)).sum::<f64>() + 20.0;
    let width = 2.0 * PANEL_WIDTH;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {whole}\" width=\"{width}\" height=\"{whole}\" role=\"img\">\n\
         <title>Speed of inglenook in multiples of its peers' on the CPU</title>\n<style>\n{STYLE}</style>\n"
    );
    legend(&mut svg);
    let mut top = HEADER;
    for row in rows {
        for (panel, left) in row.iter().zip([0.0, PANEL_WIDTH]) {
            panel.draw(&mut svg, left, top, end);
        }
        top += height(row);
    }
    if let Some(last) = records.last() {
        let about = format!("{}; benches/peers.csv, {}", cell(last, "processor"), cell(last, "date"));
        text(&mut svg, 8.0, top + 10.0, "number", &about);
    }
    svg += "</svg>\n";
    svg
}

/// The latest ratio of everything that was compared, in the order in which it was compared first.
fn panels(records: &[Record]) -> Vec<Panel> {
    let mut panels: Vec<Panel> = Vec::new();
    for record in records {
        let Some(metric) = METRICS.iter().position(|(name, ..)| *name == cell(record, "metric")) else { continue };
        let Ok(ratio) = cell(record, "ratio").parse::<f64>() else { continue };
        let title = title(record);
        let name = format!("{} {}", cell(record, "model"), cell(record, "weights"));
        let panel = found_or_added(
            &mut panels,
            |panel| panel.title == title,
            || Panel { title: title.clone(), models: Vec::new() },
        );
        let model = found_or_added(
            &mut panel.models,
            |model| model.name == name,
            || Model { name: name.clone(), ratios: [None; METRICS.len()] },
        );
        model.ratios[metric] = Some(ratio);
    }
    panels
}

fn found_or_added<T>(items: &mut Vec<T>, is: impl Fn(&T) -> bool, make: impl Fn() -> T) -> &mut T {
    let at = items.iter().position(is).unwrap_or_else(|| {
        items.push(make());
        items.len() - 1
    });
    &mut items[at]
}

fn cell<'a>(record: &Record<'a>, column: &str) -> &'a str {
    record.get(column).copied().unwrap_or_default()
}

fn title(record: &Record) -> String {
    let (peer, threads) = (cell(record, "peer"), cell(record, "threads"));
    match (cell(record, "where"), threads) {
        ("native", "1") => format!("Natively, 1 thread: {peer}"),
        ("native", _) => format!("Natively, {threads} threads: {peer}"),
        (_, "1") => format!("Chromium: {peer}"),
        _ if peer == "one-thread" => format!("Chromium, isolated, {threads} threads: its own one"),
        _ if peer == "one-thread-messages" => format!("Chromium, {threads} threads, messages: its own one"),
        _ => format!("Chromium, isolated: {peer} with {threads} threads"),
    }
}

fn legend(svg: &mut String) {
    text(svg, 8.0, 18.0, "title", "inglenook against its peers on the CPU: how many times as fast");
    for ((_, name, class), x) in METRICS.iter().zip([2.0 * PANEL_WIDTH - 150.0, 2.0 * PANEL_WIDTH - 80.0]) {
        rectangle(svg, [x, 9.0], [10.0, 10.0], class);
        text(svg, x + 14.0, 18.0, "", name);
    }
}

impl Panel {
    fn height(&self) -> f64 {
        PANEL_HEADER + self.models.len() as f64 * STEP + AXIS
    }

    fn draw(&self, svg: &mut String, left: f64, top: f64, end: f64) {
        text(svg, left + 8.0, top + 14.0, "title", &self.title);
        let (start, scale) = (left + LABELS, (PANEL_WIDTH - LABELS - NUMBERS) / end);
        let (top, bottom) = (top + PANEL_HEADER, top + self.height() - AXIS);
        for tick in (0..=(end * 2.0) as u32).map(|half| f64::from(half) / 2.0) {
            let x = start + tick * scale;
            line(svg, x, top - 4.0, bottom, if tick == 1.0 { "one" } else { "grid" });
            text(svg, x, bottom + 12.0, "tick middle", &tick.to_string());
        }
        for (model, y) in self.models.iter().zip((0..).map(|row| top + f64::from(row) * STEP)) {
            text(svg, start - 8.0, y + 14.0, "end", &model.name);
            for ((ratio, (.., class)), y) in model.ratios.iter().zip(METRICS).zip([y, y + BAR + 1.0]) {
                let Some(ratio) = ratio else { continue };
                let width = ratio.min(end) * scale;
                rectangle(svg, [start, y], [width, BAR], class);
                text(svg, start + width + 4.0, y + 8.0, "number", &format!("{ratio:.2}"));
            }
        }
    }
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{content}</text>");
}

fn rectangle(svg: &mut String, [x, y]: [f64; 2], [width, height]: [f64; 2], class: &str) {
    let _ =
        writeln!(svg, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" class=\"{class}\"/>");
}

fn line(svg: &mut String, x: f64, from: f64, to: f64, class: &str) {
    let _ = writeln!(svg, "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{from:.1}\" y2=\"{to:.1}\" class=\"{class}\"/>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(place: &'a str, threads: &'a str, metric: &'a str, ratio: &'a str) -> Record<'a> {
        let columns = [("where", place), ("threads", threads), ("metric", metric), ("ratio", ratio)];
        let others = [("model", "42m"), ("weights", "Q4_0"), ("peer", "peer <1>"), ("processor", "A & B, 2 cores")];
        columns.into_iter().chain(others).collect()
    }

    fn bars(svg: &str) -> Vec<&str> {
        svg.lines().filter(|line| line.starts_with("<rect") && line.contains("height=\"9\"")).collect()
    }

    #[test]
    fn latest_row_of_a_comparison_is_drawn() {
        let rows = [record("native", "1", "decode_tok_s", "0.5"), record("native", "1", "decode_tok_s", "1.25")];
        let svg = plot(rows.into_iter());
        assert_eq!(bars(&svg).len(), 1);
        assert!(svg.contains(">1.25</text>") && !svg.contains(">0.50</text>"));
    }

    #[test]
    fn place_and_threads_have_panels_and_load_times_no_bars() {
        let rows = [
            record("native", "1", "prefill_tok_s", "0.5"),
            record("native", "2", "prefill_tok_s", "0.5"),
            record("chromium", "2", "decode_tok_s", "0.5"),
            record("chromium", "2", "load_ms", "2.5"),
        ];
        let svg = plot(rows.into_iter());
        assert_eq!((bars(&svg).len(), svg.matches("class=\"one\"").count()), (3, 3));
        assert!(svg.contains("Chromium, isolated: peer &lt;1> with 2 threads") && svg.contains("A &amp; B"));
    }

    #[test]
    fn bar_of_one_ends_at_the_line_and_long_bars_are_cut() {
        let rows = [record("native", "1", "decode_tok_s", "1"), record("native", "1", "prefill_tok_s", "40")];
        let svg = plot(rows.into_iter());
        let scale = (PANEL_WIDTH - LABELS - NUMBERS) / SCALE.1;
        assert!(bars(&svg)[0].contains(&format!("width=\"{scale:.1}\"")), "{svg}");
        assert!(svg.contains(&format!("<line x1=\"{:.1}\"", LABELS + scale)));
        assert!(bars(&svg)[1].contains(&format!("width=\"{:.1}\"", 4.0 * scale)) && svg.contains(">40.00</text>"));
    }
}
