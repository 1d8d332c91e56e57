use proptest::prelude::*;

use super::palette::PALETTES;
use super::*;

fn record<'a>(title: &'a str, artist: &'a str, style: &'a str) -> Cover<'a> {
    Cover { title, artist, year: Some(1973), style }
}

/// Reads a document as strictly as a browser reads SVG: tags that match, attributes in quotes, no
/// bare `&`, only characters that XML has. Gives the text between tags.
fn read(xml: &str) -> Result<String, String> {
    let (mut open, mut text, mut rest) = (Vec::new(), String::new(), xml);
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if let Some(c) = xml.chars().find(|c| bad(*c) || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(format!("the character {c:?}"));
    }
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        let end = rest[at..].find('>').ok_or("a tag without end")? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes another"));
            }
            continue;
        }
        let (tag, alone) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        if tag.matches('"').count() % 2 != 0 {
            return Err(format!("quotes of {tag}"));
        }
        let name = tag.split(' ').next().unwrap_or_default();
        if !alone {
            open.push(name);
        }
    }
    text.push_str(rest);
    if !open.is_empty() {
        return Err(format!("{open:?} stay open"));
    }
    for part in text.split('&').skip(1) {
        if !["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|name| part.starts_with(name)) {
            return Err(format!("a bare & before {part:?}"));
        }
    }
    Ok(text)
}

fn check(cover: &Cover<'_>) -> Result<(), TestCaseError> {
    let drawn = svg(cover);
    prop_assert_eq!(&drawn, &svg(cover), "it is the same every time");
    prop_assert!(read(&drawn).is_ok(), "{:?}: {}", read(&drawn), drawn);
    for words_first in [true, false] {
        for line in place(cover, words_first, &mut Chance::of(cover)) {
            let right = line.x + text::width(&line.text, line.face, line.size);
            prop_assert!(line.x >= MARGIN && right <= SIDE - MARGIN + 0.01, "{:?}", line);
            let (top, foot) = (line.y - line.size * text::ASCENT, line.y + line.size * 0.24);
            let from = if words_first { MARGIN } else { SIDE - MARGIN - WORDS_HEIGHT };
            prop_assert!(top >= from - 0.01 && foot <= from + WORDS_HEIGHT + 0.01, "{:?}", line);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_words_stay_in_their_box(
        title in "\\PC{1,80}", artist in ".{0,60}", style in ".{0,40}", year in 1860..2100i64,
    ) {
        check(&Cover { title: &title, artist: &artist, year: Some(year), style: &style })?;
    }

    #[test]
    fn any_characters_make_a_document(title in "[\\x00-\\u{ffff}]{0,300}") {
        check(&Cover { title: &title, artist: &title, year: None, style: &title })?;
    }

    #[test]
    fn long_words_are_cut(letter in "[a-zA-Z世𝕏]", times in 1..400usize) {
        let title = letter.repeat(times);
        check(&record(&title, &title, &title))?;
    }
}

#[test]
fn words_are_text_whatever_they_are() {
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=1>";
    let drawn = svg(&record(evil, evil, evil));
    assert!(!drawn.contains("<script") && !drawn.contains("<img"), "{drawn}");
    assert!(read(&drawn).expect("well-formed").contains("&lt;script&gt;"));
}

#[test]
fn records_differ_in_their_covers() {
    let titles = ["Blue", "Blues", "Kind of Blue", "Blue Train", "Blue Lines", "True Blue"];
    let mut drawn: Vec<String> =
        titles.iter().map(|title| svg(&record(title, "Somebody", "Jazz"))).collect();
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), titles.len());
}

/// WCAG's contrast of two colours.
fn contrast(one: &str, two: &str) -> f64 {
    let light = |colour: &str| {
        let part = |at: usize| {
            let byte = u8::from_str_radix(&colour[at..at + 2], 16).expect("a colour");
            let value = f64::from(byte) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    };
    let (one, two) = (light(one), light(two));
    (one.max(two) + 0.05) / (one.min(two) + 0.05)
}

#[test]
fn words_can_be_read_on_every_ground() {
    for palette in PALETTES {
        let found = contrast(palette.ground, palette.ink);
        assert!(found >= 4.5, "{palette:?}: {found}");
    }
}
