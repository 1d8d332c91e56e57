//! Where things stand on paper: pages of texts and rules, measured with the font that draws them.
//!
//! What must always hold: everything lies within the margins, nothing is left out, and a row is
//! never torn apart by the end of a page. Lengths are PostScript points, from the top left corner.

use std::sync::LazyLock;

use ttf_parser::Face;

/// DejaVu Sans, unchanged; its licence lies beside it.
pub(super) static FONT: &[u8] = include_bytes!("fonts/DejaVuSans.ttf");

static FACE: LazyLock<Face<'static>> =
    LazyLock::new(|| Face::parse(FONT, 0).expect("the embedded font can be read"));

/// A4.
pub(crate) const WIDTH: f32 = 595.0;
pub(crate) const HEIGHT: f32 = 842.0;
pub(crate) const MARGIN: f32 = 50.0;
/// The text's usual size, and the height of its lines.
pub(crate) const SIZE: f32 = 9.0;
const LEADING: f32 = 1.4;
/// Where the lines at the foot of a page stand.
const FOOT: f32 = HEIGHT - MARGIN;
/// What is above it is for content.
const BOTTOM: f32 = FOOT - 24.0;
/// Lines of one cell: a text that has more is cut, and says so.
const CELL_LINES_MAX: usize = 40;

/// A piece of text. `y` is its baseline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) size: f32,
    pub(crate) text: String,
}

/// A filled rectangle; `y` is its upper edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Block {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
}

/// A horizontal line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rule {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) width: f32,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Page {
    pub(crate) texts: Vec<Text>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) blocks: Vec<Block>,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Col {
    pub(crate) title: &'static str,
    pub(crate) x: f32,
    pub(crate) width: f32,
    pub(crate) right: bool,
}

/// The width of a text.
pub(crate) fn width(text: &str, size: f32) -> f32 {
    let units: f32 = text
        .chars()
        .map(|c| {
            let glyph = FACE.glyph_index(c).unwrap_or_default();
            f32::from(FACE.glyph_hor_advance(glyph).unwrap_or(0))
        })
        .sum();
    units * size / f32::from(FACE.units_per_em())
}

/// The text on lines of at most this width: broken between words, and within those that are wider.
pub(crate) fn wrapped(text: &str, size: f32, room: f32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let printable = text.replace(|c: char| c.is_control(), " ");
    for word in printable.split_whitespace() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&longer, size) <= room {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            line.push(c);
            if width(&line, size) > room && line.chars().count() > 1 {
                line.pop();
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    if lines.len() > CELL_LINES_MAX {
        lines.truncate(CELL_LINES_MAX);
        "…".clone_into(lines.last_mut().expect("a line"));
    }
    lines
}

/// A paper that grows downwards, page by page.
#[derive(Debug)]
pub(crate) struct Sheet {
    pages: Vec<Page>,
    /// The baseline of the line above what comes next.
    pub(crate) y: f32,
}

impl Sheet {
    pub(crate) fn new() -> Self {
        Self { pages: vec![Page::default()], y: MARGIN }
    }

    fn page(&mut self) -> &mut Page {
        self.pages.last_mut().expect("a sheet has a page")
    }

    /// Goes on to a new page unless there is so much room. True if it did.
    fn make_room(&mut self, height: f32) -> bool {
        let full = self.y + height > BOTTOM;
        if full {
            self.pages.push(Page::default());
            self.y = MARGIN;
        }
        full
    }

    /// Some room between parts.
    pub(crate) fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// Lines from the left edge of a block, at the right end of it if told so.
    pub(crate) fn block(
        &mut self,
        lines: &[String],
        size: f32,
        (x, room, right): (f32, f32, bool),
    ) {
        for line in lines.iter().flat_map(|line| wrapped(line, size, room)) {
            self.make_room(size * LEADING);
            self.y += size * LEADING;
            self.put(line, size, (x, room, right), self.y);
        }
    }

    fn put(&mut self, text: String, size: f32, (x, room, right): (f32, f32, bool), y: f32) {
        let x = if right { (x + room - width(&text, size)).max(x) } else { x };
        if !text.is_empty() {
            self.page().texts.push(Text { x, y, size, text });
        }
    }

    /// A line over the whole width.
    pub(crate) fn rule(&mut self) {
        self.y += 4.0;
        let y = self.y;
        self.page().rules.push(Rule { x: MARGIN, y, width: WIDTH - 2.0 * MARGIN });
    }

    /// The head of a table.
    pub(crate) fn head(&mut self, columns: &[Col]) {
        let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
        self.cells(columns, &titles);
        self.rule();
        self.y += 2.0;
    }

    /// A row of a table; a new page begins with the table's head.
    pub(crate) fn row(&mut self, columns: &[Col], cells: &[String]) {
        if self.make_room(height(columns, cells)) {
            self.head(columns);
        }
        self.cells(columns, cells);
        self.y += 3.0;
    }

    fn cells(&mut self, columns: &[Col], cells: &[String]) {
        let mut lowest = self.y;
        for (column, cell) in columns.iter().zip(cells) {
            let mut y = self.y;
            for line in wrapped(cell, SIZE, column.width) {
                y += SIZE * LEADING;
                self.put(line, SIZE, (column.x, column.width, column.right), y);
            }
            lowest = lowest.max(y);
        }
        self.y = lowest;
    }

    /// Room for so many lines, kept together.
    pub(crate) fn keep_together(&mut self, lines: usize) {
        self.make_room(SIZE * LEADING * lines as f32 + 8.0);
    }

    /// The pages, each with this text and its number at the foot.
    pub(crate) fn finish(self, foot: &str) -> Vec<Page> {
        let count = self.pages.len();
        let mut pages = self.pages;
        for (index, page) in pages.iter_mut().enumerate() {
            let (number, room) = (format!("Page {} of {count}", index + 1), WIDTH - 2.0 * MARGIN);
            let x = MARGIN + room - width(&number, SIZE);
            let line = wrapped(foot, SIZE, room - width(&number, SIZE) - 12.0).swap_remove(0);
            page.texts.push(Text { x: MARGIN, y: FOOT, size: SIZE, text: line });
            page.texts.push(Text { x, y: FOOT, size: SIZE, text: number });
        }
        pages
    }
}

fn height(columns: &[Col], cells: &[String]) -> f32 {
    let lines = columns.iter().zip(cells).map(|(col, cell)| wrapped(cell, SIZE, col.width).len());
    lines.max().unwrap_or(0) as f32 * SIZE * LEADING + 3.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Everything within the margins, and nothing over the foot.
    pub(crate) fn assert_within(pages: &[Page]) {
        for page in pages {
            for text in &page.texts {
                let right = text.x + width(&text.text, text.size);
                assert!(text.x >= MARGIN - 0.01 && right <= WIDTH - MARGIN + 0.5, "{text:?}");
                assert!(text.y >= MARGIN && text.y <= FOOT, "{text:?}");
            }
        }
    }

    /// All texts, in the order in which they were put.
    pub(crate) fn words(pages: &[Page]) -> Vec<&str> {
        pages.iter().flat_map(|page| &page.texts).map(|text| text.text.as_str()).collect()
    }

    #[test]
    fn lines_are_no_wider_than_their_room_and_nothing_is_lost() {
        for text in [
            "We are Reactive",
            "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen und so weiter",
            "音楽 без границ Ελληνικά",
            "a\nb\tc\u{7}d",
            "",
        ] {
            for room in [30.0, 80.0, 400.0] {
                let lines = wrapped(text, SIZE, room);
                assert!(lines.iter().all(|line| width(line, SIZE) <= room), "{lines:?}");
                let whole: String = lines.concat().split_whitespace().collect();
                let text = text.replace('\u{7}', " ");
                assert_eq!(whole, text.split_whitespace().collect::<String>());
            }
        }
    }

    #[test]
    fn a_text_without_end_is_cut() {
        let lines = wrapped(&"word ".repeat(1_000), SIZE, 30.0);
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (CELL_LINES_MAX, Some("…")));
    }

    #[test]
    fn rows_go_on_under_the_same_head() {
        let column = Col { title: "What", x: MARGIN, width: 100.0, right: false };
        let mut sheet = Sheet::new();
        sheet.head(&[column]);
        for row in 0..120 {
            sheet.row(&[column], &[format!("row {row} with enough words for two lines")]);
        }
        let pages = sheet.finish("Foot");
        assert!(pages.len() > 2);
        assert_within(&pages);
        let texts = words(&pages);
        assert_eq!(texts.iter().filter(|text| **text == "What").count(), pages.len());
        assert_eq!(texts.iter().filter(|text| text.starts_with("row ")).count(), 120);
        assert!(texts.contains(&format!("Page 2 of {}", pages.len()).as_str()));
    }
}
