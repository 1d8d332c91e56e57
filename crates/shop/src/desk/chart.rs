//! Charts as inline SVG: pure functions from numbers to text.
//!
//! A chart is a picture with a name and a description for those who do not see it; the numbers
//! stand in a table beside it as well. Colours are classes of the style sheet, so that they
//! follow light and dark. Coordinates are integers.

use std::fmt::Write;

/// Width and height of a chart in its own units; the page scales it.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 220;
/// Room for the numbers at the left, and for the labels below.
const LEFT: i64 = 64;
const BOTTOM: i64 = 28;
const TOP: i64 = 12;
/// Lines that help to read a height.
const GRID_LINES: i64 = 4;
/// About so many columns have a label below.
const LABELS: usize = 8;
/// Width of a bar in a table, in its own units.
const BAR_WIDTH: i64 = 200;

/// A picture of columns.
#[derive(Debug, Clone)]
pub(super) struct Chart<'a> {
    /// Tells the chart from others on the page: letters only.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// What it shows, in a sentence.
    pub(super) description: &'a str,
    /// From left to right.
    pub(super) columns: &'a [Column],
}

/// One column: parts that stand on each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) label: String,
    /// What is told when one points at it.
    pub(super) told: String,
    pub(super) parts: Vec<Part>,
}

/// A part of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// A class of the style sheet.
    pub(super) class: &'static str,
    /// 0 or more.
    pub(super) value: i64,
}

impl Column {
    fn sum(&self) -> i64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.value.max(0)))
    }
}

/// The chart as SVG. `tick` writes a number of the scale.
pub(super) fn columns(chart: &Chart<'_>, tick: impl Fn(i64) -> String) -> String {
    let Chart { id, title, description, columns } = chart;
    let top = scale_top(columns.iter().map(Column::sum).max().unwrap_or(0));
    let mut svg = String::with_capacity(4_096);
    let (title, description) = (escaped(title), escaped(description));
    let _infallible = write!(
        svg,
        r#"<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{id}-t {id}-d"><title id="{id}-t">{title}</title><desc id="{id}-d">{description}</desc>"#,
    );
    grid(&mut svg, top, tick);
    let count = i64::try_from(columns.len()).expect("columns fit on a page").max(1);
    let pitch = (WIDTH - LEFT) / count;
    let every = columns.len().div_ceil(LABELS).max(1);
    for (index, column) in columns.iter().enumerate() {
        let x = LEFT + pitch * i64::try_from(index).expect("columns fit on a page");
        draw(&mut svg, column, x, pitch, top);
        if index % every == 0 {
            let (middle, below) = (x + pitch / 2, HEIGHT - 8);
            let label = escaped(&column.label);
            // Where there is little room, every other one stays.
            let class =
                if index % (2 * every) == 0 { "chart-label" } else { "chart-label chart-minor" };
            let _infallible = write!(
                svg,
                r#"<text class="{class}" x="{middle}" y="{below}" text-anchor="middle">{label}</text>"#,
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// A bar for a table's cell: what share of the largest a value is. The number stands beside it, so
/// it is not told to those who do not see it.
pub(crate) fn bar(value: i64, largest: i64) -> String {
    let width = part_of(value, largest.max(1), BAR_WIDTH);
    format!(
        r#"<svg class="bar" viewBox="0 0 {BAR_WIDTH} 12" preserveAspectRatio="none" aria-hidden="true"><rect class="bar-back" width="{BAR_WIDTH}" height="12"/><rect class="bar-front" width="{width}" height="12"/></svg>"#,
    )
}

fn grid(svg: &mut String, top: i64, tick: impl Fn(i64) -> String) {
    let mut last = None;
    for line in 0..=GRID_LINES {
        let value = top / GRID_LINES * line;
        let y = HEIGHT - BOTTOM - part_of(value, top, HEIGHT - BOTTOM - TOP);
        let (at, baseline) = (LEFT - 8, y + 4);
        let _infallible =
            write!(svg, r#"<line class="chart-grid" x1="{LEFT}" x2="{WIDTH}" y1="{y}" y2="{y}"/>"#);
        let text = tick(value);
        // On a scale of few units two lines may come to the same words.
        if last.as_ref() != Some(&text) {
            let label = escaped(&text);
            let _infallible = write!(
                svg,
                r#"<text class="chart-label" x="{at}" y="{baseline}" text-anchor="end">{label}</text>"#,
            );
        }
        last = Some(text);
    }
}

fn draw(svg: &mut String, column: &Column, x: i64, pitch: i64, top: i64) {
    let gap = (pitch / 6).max(1);
    let (left, width) = (x + gap, (pitch - 2 * gap).max(1));
    let plot = HEIGHT - BOTTOM - TOP;
    let told = escaped(&column.told);
    let _infallible = write!(svg, "<g><title>{told}</title>");
    let mut below = 0;
    for part in column.parts.iter().filter(|part| part.value > 0) {
        let (from, to) = (part_of(below, top, plot), part_of(below + part.value, top, plot));
        let (y, class) = (HEIGHT - BOTTOM - to, part.class);
        // What is there is seen, however little it is.
        let height = (to - from).max(1);
        let _infallible = write!(
            svg,
            r#"<rect class="{class}" x="{left}" y="{y}" width="{width}" height="{height}"/>"#,
        );
        below += part.value;
    }
    svg.push_str("</g>");
}

/// `value / whole` of a length.
fn part_of(value: i64, whole: i64, length: i64) -> i64 {
    let share = i128::from(value.clamp(0, whole)) * i128::from(length) / i128::from(whole);
    i64::try_from(share).expect("a part of an i64")
}

/// The end of the scale: a number that is divided by [`GRID_LINES`] into round ones.
fn scale_top(largest: i64) -> i64 {
    let mut power: i64 = 1;
    loop {
        for step in [1, 2, 5] {
            let top = power.saturating_mul(step).saturating_mul(GRID_LINES);
            if top >= largest {
                return top;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Text for SVG and HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(label: &str, values: &[i64]) -> Column {
        let parts = values.iter().map(|value| Part { class: "c0", value: *value }).collect();
        Column { label: label.to_owned(), told: format!("{label}: {values:?}"), parts }
    }

    fn drawn(columns_: &[Column]) -> String {
        let chart = Chart { id: "x", title: "A & B", description: "<d>", columns: columns_ };
        columns(&chart, |value| value.to_string())
    }

    /// The numbers of an attribute, in order.
    fn numbers(svg: &str, attribute: &str) -> Vec<i64> {
        let rects = svg.split("<rect ").skip(1);
        let named = format!(" {attribute}=\"");
        rects
            .filter_map(|rect| rect.split_once(&named)?.1.split('"').next()?.parse().ok())
            .collect()
    }

    #[test]
    fn scales_end_in_round_numbers_above_the_largest() {
        for (largest, top) in
            [(0, 4), (1, 4), (4, 4), (5, 8), (9, 20), (20, 20), (21, 40), (1_999, 2_000)]
        {
            assert_eq!(scale_top(largest), top, "{largest}");
        }
        assert_eq!(scale_top(i64::MAX), i64::MAX);
    }

    #[test]
    fn heights_are_in_proportion_and_parts_stand_on_each_other() {
        let svg = drawn(&[column("a", &[2, 1]), column("b", &[0]), column("c", &[4])]);
        assert_eq!(numbers(&svg, "height"), [90, 45, 180]);
        assert_eq!(numbers(&svg, "y"), [102, 57, 12]);
    }

    #[test]
    fn little_is_seen_and_much_does_not_overflow() {
        let svg = drawn(&[column("a", &[1]), column("b", &[i64::MAX])]);
        assert_eq!(numbers(&svg, "height"), [1, 180]);
        assert!(numbers(&drawn(&[]), "height").is_empty());
    }

    #[test]
    fn names_are_told_and_escaped() {
        let svg = drawn(&[column("<script>", &[1])]);
        assert!(svg.contains(r#"role="img" aria-labelledby="x-t x-d""#), "{svg}");
        assert!(
            svg.contains(r#"<title id="x-t">A &amp; B</title><desc id="x-d">&lt;d&gt;</desc>"#)
        );
        assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script>"));
        assert!(!svg.contains("style="), "the policy forbids it");
    }

    #[test]
    fn a_bar_is_a_share_of_the_largest() {
        for (value, largest, width) in [(0, 10, 0), (5, 10, 100), (10, 10, 200), (3, 0, 200)] {
            assert!(bar(value, largest).contains(&format!("bar-front\" width=\"{width}\"")));
        }
    }
}
