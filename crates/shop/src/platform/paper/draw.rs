//! Pages as PDF.

use std::sync::LazyLock;

use krilla::Document;
use krilla::geom::{Path, PathBuilder, Point};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::text::{Font, TextDirection};

use super::layout::{Block, FONT, HEIGHT, Page, Rule, WIDTH};

/// Half the thickness of a rule.
const RULE: f32 = 0.3;

static DRAWN_WITH: LazyLock<Option<Font>> = LazyLock::new(|| Font::new(FONT.to_vec().into(), 0));

/// The pages as a PDF.
///
/// # Errors
/// What the library says: a defect.
pub(crate) fn pdf(title: &str, pages: &[Page]) -> Result<Vec<u8>, String> {
    let font = DRAWN_WITH.clone().ok_or("the embedded font cannot be used")?;
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(title.to_owned()).language("en".to_owned()));
    for laid_out in pages {
        let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or("A4 is a size")?;
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        for text in &laid_out.texts {
            let start = Point::from_xy(text.x, text.y);
            let (font, size) = (font.clone(), text.size);
            surface.draw_text(start, font, size, &text.text, false, TextDirection::Auto);
        }
        let rule = |rule: &Rule| Block {
            x: rule.x,
            y: rule.y - RULE,
            width: rule.width,
            height: 2.0 * RULE,
        };
        let rules: Vec<Block> = laid_out.rules.iter().map(rule).collect();
        for blocks in [rules, laid_out.blocks.clone()] {
            if let Some(path) = path_of(&blocks) {
                surface.draw_path(&path);
            }
        }
        surface.finish();
        page.finish();
    }
    document.finish().map_err(|error| format!("{error:?}"))
}

/// All of the blocks as one path; none without any.
fn path_of(blocks: &[Block]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for Block { x, y, width, height } in blocks.iter().copied() {
        path.move_to(x, y);
        path.line_to(x + width, y);
        path.line_to(x + width, y + height);
        path.line_to(x, y + height);
        path.close();
    }
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::super::layout::Text;
    use super::*;

    fn count(bytes: &[u8], wanted: &[u8]) -> usize {
        bytes.windows(wanted.len()).filter(|window| *window == wanted).count()
    }

    #[test]
    fn pages_become_a_whole_pdf() {
        let text = |text: &str| Text { x: 50.0, y: 60.0, size: 9.0, text: text.to_owned() };
        let rules = vec![Rule { x: 50.0, y: 70.0, width: 100.0 }];
        // Neither has a glyph: shown as boxes, and nothing breaks.
        let texts = vec![text("Ärger & Co. Привет"), text("音楽 \u{1f3b5}"), text("")];
        let blocks = vec![Block { x: 50.0, y: 80.0, width: 9.0, height: 9.0 }];
        let page = Page { texts, rules, blocks };
        let bytes = pdf("Title", &[page.clone(), page.clone(), page]).expect("a PDF");
        assert!(bytes.starts_with(b"%PDF-") && bytes.trim_ascii_end().ends_with(b"%%EOF"));
        assert_eq!(count(&bytes, b"startxref"), 1);
        assert_eq!(count(&bytes, b"/Count 3"), 1, "three pages");
        assert!(bytes.len() < 100_000, "only the glyphs that are used: {}", bytes.len());
    }
}
