//! A record's picture: made of its title, artist, year and style, the same every time.
//!
//! Words stand in a box of their own, the drawing in the rest of the square, so neither covers the
//! other. Text is measured with widths that are rather too large than too small ([`text`]); what
//! does not fit at the least size is cut with an ellipsis.

mod drawing;
mod palette;
mod text;

use std::fmt::Write;

use palette::{Palette, palette};
use text::{Block, Face, fit};

/// Width and height of a cover, in its own units.
pub const SIDE: f64 = 600.0;
/// Free space around the words.
const MARGIN: f64 = 44.0;
/// Height of the part that the words have.
const WORDS_HEIGHT: f64 = 274.0;
const TITLE_SIZES: (f64, f64) = (82.0, 19.0);
const ARTIST_SIZES: (f64, f64) = (34.0, 15.0);
const CAPTION_SIZES: (f64, f64) = (22.0, 13.0);
/// Parts of the words' height that the title and the artist may take.
const TITLE_HEIGHT: f64 = 160.0;
const ARTIST_HEIGHT: f64 = 58.0;
const GAP: f64 = 14.0;

/// What a cover is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover<'a> {
    pub title: &'a str,
    pub artist: &'a str,
    pub year: Option<i64>,
    pub style: &'a str,
}

/// A line of words where it stands: `y` is its baseline.
#[derive(Debug, Clone, PartialEq)]
struct Placed {
    text: String,
    face: Face,
    size: f64,
    x: f64,
    y: f64,
}

/// Numbers that follow from what a cover is made of, one after another (splitmix64).
struct Chance(u64);

impl Chance {
    fn of(cover: &Cover<'_>) -> Self {
        let year = cover.year.unwrap_or_default().to_string();
        let parts = [cover.title, cover.artist, &year, cover.style];
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        // FNV-1a, with a byte that no text has between the parts.
        for byte in parts.iter().flat_map(|part| part.bytes().chain([0xff])) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self(hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a small number");
        usize::try_from(self.next() % end).expect("below a small number")
    }

    /// A number from `from` up to `to`.
    fn between(&mut self, from: f64, to: f64) -> f64 {
        let part = u32::try_from(self.next() >> 32).expect("32 bits");
        from + (to - from) * f64::from(part) / f64::from(u32::MAX)
    }
}

/// The picture as SVG.
pub fn svg(cover: &Cover<'_>) -> String {
    let mut chance = Chance::of(cover);
    let palette = palette(cover.style, &mut chance);
    let words_first = chance.below(2) == 0;
    let words = place(cover, words_first, &mut chance);
    let mut out = String::with_capacity(4_096);
    let side = SIDE;
    write(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             width=\"{side}\" height=\"{side}\"><rect width=\"{side}\" height=\"{side}\" \
             fill=\"{}\"/>",
            palette.ground
        ),
    );
    let top = if words_first { MARGIN + WORDS_HEIGHT + GAP } else { 0.0 };
    let bottom = if words_first { SIDE } else { SIDE - MARGIN - WORDS_HEIGHT - GAP };
    drawing::draw(&mut out, &palette, (top, bottom), &mut chance);
    words.iter().for_each(|line| line.write(&mut out, &palette));
    out.push_str("</svg>");
    out
}

/// Where the words stand: the title, below it the artist, then year and style.
fn place(cover: &Cover<'_>, words_first: bool, chance: &mut Chance) -> Vec<Placed> {
    let face = if chance.below(2) == 0 { Face::Sans } else { Face::Serif };
    let width = SIDE - 2.0 * MARGIN;
    let title = fit(cover.title, face, (width, TITLE_HEIGHT), TITLE_SIZES);
    let artist = fit(cover.artist, Face::Plain, (width, ARTIST_HEIGHT), ARTIST_SIZES);
    let year = cover.year.map(|year| year.to_string());
    let parts = [year.as_deref().unwrap_or_default(), cover.style];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
    let caption = fit(&parts.join("  ·  "), Face::Plain, (width, 26.0), CAPTION_SIZES);
    let blocks = [title, artist, caption];
    let shown = blocks.iter().filter(|block| !block.lines.is_empty());
    let gaps = f64::from(u8::try_from(shown.count()).expect("three at most").max(1) - 1) * GAP;
    let height = blocks.iter().map(Block::height).sum::<f64>() + gaps;
    let mut y = if words_first { MARGIN } else { SIDE - MARGIN - height };
    let mut placed = Vec::new();
    for block in blocks.into_iter().filter(|block| !block.lines.is_empty()) {
        let (size, face, next) = (block.size, block.face, y + block.height() + GAP);
        for text in block.lines {
            placed.push(Placed { text, face, size, x: MARGIN, y: y + size * text::ASCENT });
            y += size * text::LINE;
        }
        y = next;
    }
    placed
}

impl Placed {
    fn write(&self, out: &mut String, palette: &Palette) {
        let (family, weight) = self.face.font();
        write(
            out,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" font-family=\"{family}\" font-weight=\"{weight}\" \
                 font-size=\"{:.1}\" fill=\"{}\" xml:space=\"preserve\">",
                self.x, self.y, self.size, palette.ink
            ),
        );
        text::escape(out, &self.text);
        out.push_str("</text>");
    }
}

fn write(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("a String takes every text");
}

#[cfg(test)]
#[path = "cover/tests.rs"]
mod tests;
