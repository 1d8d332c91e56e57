//! Measuring, wrapping and escaping words of a cover.

/// Height of a line and of what stands above its baseline, in font sizes.
pub(super) const LINE: f64 = 1.1;
pub(super) const ASCENT: f64 = 0.86;
/// Sizes are tried one after another, each so much of the one before.
const SHRINK: f64 = 0.94;
/// Characters that are looked at: more could never be shown.
const CHARS_MAX: usize = 400;

/// How words look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    Sans,
    Serif,
    /// For lesser words.
    Plain,
}

impl Face {
    /// Families that every machine has one of, and the weight.
    pub(super) fn font(self) -> (&'static str, u16) {
        let sans = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif";
        match self {
            Face::Sans => (sans, 700),
            Face::Plain => (sans, 400),
            Face::Serif => ("Palatino, P052, Georgia, Liberation Serif, serif", 400),
        }
    }

    /// How much wider than [`char_width`] its letters are at most.
    fn factor(self) -> f64 {
        match self {
            Face::Sans => 1.08,
            Face::Serif | Face::Plain => 1.0,
        }
    }
}

/// Lines of one size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub lines: Vec<String>,
    pub size: f64,
    pub face: Face,
}

impl Block {
    pub(super) fn height(&self) -> f64 {
        f64::from(u16::try_from(self.lines.len()).expect("few lines")) * self.size * LINE
    }
}

/// The width of a text, in units of the cover.
pub(super) fn width(text: &str, face: Face, size: f64) -> f64 {
    text.chars().map(char_width).sum::<f64>() * face.factor() * size
}

/// An upper bound of a character's width, in font sizes.
fn char_width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '!' | '|' | '’' | ' ' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' | '"' | '·' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | 'Æ' | 'Œ' | '…' | '—' => 1.02,
        'a'..='z' | '0'..='9' => 0.6,
        'A'..='Z' | '&' | '–' | '\u{c0}'..='\u{24f}' => 0.8,
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' => 0.0,
        // Greek, Cyrillic, Armenian, Hebrew, Arabic.
        '\u{370}'..='\u{6ff}' => 0.9,
        ' '..='~' => 0.64,
        // Ideographs, symbols, pictures and whatever fonts stand in for.
        _ => 1.3,
    }
}

/// Wraps a text into a box, as large as it can be between two sizes. What does not fit at the
/// least one is cut.
pub(super) fn fit(text: &str, face: Face, bounds: (f64, f64), sizes: (f64, f64)) -> Block {
    let words = words(text);
    let (largest, least) = sizes;
    let mut size = largest;
    while size > least {
        if let Some(lines) = wrap(&words, face, bounds, size) {
            return Block { lines, size, face };
        }
        size *= SHRINK;
    }
    Block { lines: cut(&words.join(" "), face, bounds, least), size: least, face }
}

/// The words of a text, without what XML cannot hold and what turns the direction of others.
fn words(text: &str) -> Vec<String> {
    let clean: String = text.chars().take(CHARS_MAX).map(plain).collect();
    clean.split_whitespace().map(str::to_owned).collect()
}

fn plain(c: char) -> char {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let private = matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}');
    if c.is_control() || turns || private { ' ' } else { c }
}

fn lines_max(bounds: (f64, f64), size: f64) -> usize {
    (1..64).take_while(|lines| f64::from(*lines) * size * LINE <= bounds.1).count().max(1)
}

/// None if it does not fit at this size.
fn wrap(words: &[String], face: Face, bounds: (f64, f64), size: f64) -> Option<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        if width(word, face, size) > bounds.0 {
            return None;
        }
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), face, size) <= bounds.0 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.clone()),
        }
    }
    let high = lines_max(bounds, size);
    (lines.len() <= high && size * LINE <= bounds.1).then_some(lines)
}

/// Breaks between any two characters, and ends in an ellipsis if something is left.
fn cut(text: &str, face: Face, bounds: (f64, f64), size: f64) -> Vec<String> {
    let high = lines_max(bounds, size);
    let mut lines = vec![String::new()];
    for c in text.chars() {
        let line = lines.last_mut().expect("there is one from the beginning");
        line.push(c);
        if width(line, face, size) <= bounds.0 {
            continue;
        }
        line.pop();
        if lines.len() == high {
            let last = lines.last_mut().expect("there is one");
            while width(last, face, size) + width("…", face, size) > bounds.0
                && last.pop().is_some()
            {}
            last.push('…');
            return lines;
        }
        lines.push(c.to_string());
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

/// Writes text so that it stays text.
pub(super) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}
