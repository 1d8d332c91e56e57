//! The first pass over a file: which encoding, which delimiter, how long. It reads the whole file
//! in chunks and keeps a few counters, so its memory does not grow with the file.
//!
//! A file whose non-ASCII sequences are mostly valid UTF-8 is UTF-8; its broken rows are reported
//! one by one in the second pass. Only otherwise do the single-byte encodings compete, by how
//! plausible the characters that they make of the bytes are between their neighbours.

use std::io::{self, Read};

use super::encoding::{CharTable, Encoding, char_table};
use super::plausibility::plausibility;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Only so much of the header line is looked at to find the delimiter.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Longest valid UTF-8 sequence that a chunk may cut.
const CARRY_BYTES_MAX: usize = 3;

pub(super) const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// The encodings that compete by plausibility; the earlier wins a tie.
const SINGLE_BYTE: [Encoding; 3] = [Encoding::Latin1, Encoding::MacRoman, Encoding::MacRomanTwice];

/// What the first pass found out about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The encoding that was chosen by the caller or recognised.
    pub encoding: Encoding,
    /// What separates the fields: a comma, a semicolon or a tab.
    pub delimiter: u8,
    /// Length of the file in bytes, for a progress bar.
    pub bytes: u64,
    /// The file is UTF-16 by its byte order mark, which the import does not read.
    pub utf16: bool,
}

impl Survey {
    /// Reads `source` to its end. `chosen` overrides the recognition of the encoding.
    ///
    /// # Errors
    /// Only those of reading.
    pub fn of(mut source: impl Read, chosen: Option<Encoding>) -> io::Result<Survey> {
        let mut counters = Counters::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => counters.add(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        counters.finish();
        Ok(Survey {
            encoding: chosen.unwrap_or_else(|| counters.encoding()),
            delimiter: counters.delimiter(),
            bytes: counters.bytes,
            utf16: counters.head.starts_with(b"\xff\xfe") || counters.head.starts_with(b"\xfe\xff"),
        })
    }
}

struct Counters {
    bytes: u64,
    /// The start of the file, up to `HEADER_BYTES_MAX`.
    head: Vec<u8>,
    /// Valid multi-byte UTF-8 sequences, and places that are not UTF-8.
    utf8_valid: u64,
    utf8_broken: u64,
    /// A sequence that the end of a chunk cut.
    carry: Vec<u8>,
    tables: Vec<CharTable>,
    scores: [i64; SINGLE_BYTE.len()],
    /// The last two bytes seen: the second waits for its right neighbour.
    before: u8,
    waiting: u8,
}

impl Counters {
    fn new() -> Self {
        Counters {
            bytes: 0,
            head: Vec::new(),
            utf8_valid: 0,
            utf8_broken: 0,
            carry: Vec::new(),
            tables: SINGLE_BYTE.into_iter().filter_map(char_table).map(|table| *table).collect(),
            scores: [0; SINGLE_BYTE.len()],
            before: b'\n',
            waiting: b'\n',
        }
    }

    fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        let room = HEADER_BYTES_MAX.saturating_sub(self.head.len());
        self.head.extend_from_slice(&chunk[..chunk.len().min(room)]);
        for byte in chunk {
            self.step(*byte);
        }
        self.count_utf8(chunk);
    }

    fn finish(&mut self) {
        self.step(b'\n');
        self.utf8_broken += u64::from(!self.carry.is_empty());
    }

    fn step(&mut self, byte: u8) {
        if !self.waiting.is_ascii() {
            let triple = [self.before, self.waiting, byte].map(usize::from);
            for (score, table) in self.scores.iter_mut().zip(&self.tables) {
                let [left, middle, right] = triple.map(|index| table[index]);
                *score += plausibility(left, middle, right);
            }
        }
        (self.before, self.waiting) = (self.waiting, byte);
    }

    fn count_utf8(&mut self, chunk: &[u8]) {
        if self.carry.is_empty() && chunk.is_ascii() {
            return;
        }
        let mut joined = std::mem::take(&mut self.carry);
        joined.extend_from_slice(chunk);
        let mut rest = joined.as_slice();
        loop {
            match str::from_utf8(rest) {
                Ok(text) => {
                    self.utf8_valid += sequences(text);
                    return;
                }
                Err(error) => {
                    let (valid, bad) = rest.split_at(error.valid_up_to());
                    self.utf8_valid += str::from_utf8(valid).map_or(0, sequences);
                    let Some(length) = error.error_len() else {
                        debug_assert!(bad.len() <= CARRY_BYTES_MAX, "a cut sequence is short");
                        self.carry = bad.to_vec();
                        return;
                    };
                    self.utf8_broken += 1;
                    rest = &bad[length..];
                }
            }
        }
    }

    fn encoding(&self) -> Encoding {
        let ascii = self.utf8_valid == 0 && self.utf8_broken == 0;
        if ascii || self.utf8_valid > self.utf8_broken || self.head.starts_with(UTF8_BOM) {
            return Encoding::Utf8;
        }
        let mut best = (self.scores[0], SINGLE_BYTE[0]);
        for (score, encoding) in self.scores.into_iter().zip(SINGLE_BYTE) {
            if score > best.0 {
                best = (score, encoding);
            }
        }
        // As many valid sequences as broken ones: UTF-8 unless another reading makes sense.
        let undecided = self.utf8_valid == self.utf8_broken;
        if undecided && best.0 <= 0 { Encoding::Utf8 } else { best.1 }
    }

    /// The delimiter that the first line with content holds most of, outside of quotes.
    fn delimiter(&self) -> u8 {
        let mut counts = [0_usize; DELIMITERS.len()];
        let (mut quoted, mut content) = (false, false);
        for byte in &self.head {
            match byte {
                b'"' => quoted = !quoted,
                b'\r' | b'\n' if content && !quoted => break,
                b'\r' | b'\n' => {}
                byte if !quoted => {
                    content = true;
                    if let Some(index) = DELIMITERS.iter().position(|each| each == byte) {
                        counts[index] += 1;
                    }
                }
                _ => {}
            }
        }
        let mut best = 0;
        for index in 1..counts.len() {
            if counts[index] > counts[best] {
                best = index;
            }
        }
        DELIMITERS[best]
    }
}

fn sequences(text: &str) -> u64 {
    text.chars().filter(|char| !char.is_ascii()).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXTS: [&str; 14] = [
        "title,artist\nCœur,Françoise Hardy\n",
        "title;artist\nŒuvres;Maïté\n",
        "title,artist\nMotörhead,No Remorse\n",
        "title,artist\nHonky Château,Elton John\n",
        "title,artist\nÁgætis byrjun,Sigur Rós\n",
        "title,artist\nTropicália,João Gilberto\n",
        "title,artist\nL’Étrange,Étienne Daho\nDéjà vu,Françoise Hardy\n",
        "title,artist\nBjörk’s “Début”,Björk\n",
        "title,price\nÅse,£12.50\nRöyksopp,£9.00\n",
        "title;artist\nNiña Pastori;Rocío Dúrcal\n",
        "title,artist\nTodo Cambió,Camila\nÉramos,Ñengo Flow\n",
        "title,artist\nMøme,Röyksopp\nÆ,Ørsted\n",
        "title,artist\nFünfzehn Stücke für Violine,Jürgen Weiß\n",
        "title,artist\nÉTOILES,ÉLAN\nLes Élans,Zoé\n",
    ];

    fn encoded(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
        if encoding == Encoding::Utf8 {
            return Some(text.as_bytes().to_vec());
        }
        let table = char_table(encoding)?;
        text.chars()
            .map(|char| {
                let byte = table.iter().position(|each| *each == char)?;
                u8::try_from(byte).ok()
            })
            .collect()
    }

    fn recognised(bytes: &[u8]) -> Encoding {
        Survey::of(bytes, None).expect("memory reads").encoding
    }

    #[test]
    fn real_titles_are_recognised_in_every_encoding() {
        let mut tried = 0;
        for text in TEXTS {
            for encoding in Encoding::ALL {
                let Some(bytes) = encoded(text, encoding) else { continue };
                tried += 1;
                // A byte or two may read well in two encodings: the table below has only texts that
                // the double accident leaves readable for certain.
                if encoding != Encoding::MacRomanTwice {
                    assert_eq!(recognised(&bytes), encoding, "{text}");
                }
            }
        }
        assert!(tried > 30, "most texts exist in most encodings");
    }

    #[test]
    fn the_double_accident_is_recognised() {
        for text in [
            "Getz,\u{a0}Joao\nHonky Château,Reggae,\u{a0}Pop\n",
            "a\nFunk,\u{a0}Soul\nBlues,\u{a0}Pop\n",
            "a\nStan Getz\u{a0}/\u{a0}Joao Gilberto\u{a0}featuring\u{a0}Jobim\n",
        ] {
            let bytes = encoded(text, Encoding::MacRomanTwice).expect("exists");
            assert_eq!(recognised(&bytes), Encoding::MacRomanTwice, "{text}");
        }
    }

    #[test]
    fn the_real_file_is_recognised() {
        let bytes =
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/albums-500.csv"));
        let survey = Survey::of(bytes.as_slice(), None).expect("memory reads");
        assert_eq!(
            survey,
            Survey {
                encoding: Encoding::MacRomanTwice,
                delimiter: b',',
                bytes: bytes.len() as u64,
                utf16: false
            }
        );
        let chosen = Survey::of(bytes.as_slice(), Some(Encoding::Latin1)).expect("memory reads");
        assert_eq!(chosen.encoding, Encoding::Latin1);
    }

    #[test]
    fn a_few_broken_lines_do_not_flip_utf8() {
        assert_eq!(recognised("Björk\nSigur Rós\n".as_bytes()), Encoding::Utf8);
        assert_eq!(recognised(b"Bj\xc3\xb6rk\nSigur R\xc3\xb3s\nJo\xe3o\n"), Encoding::Utf8);
        assert_eq!(recognised(b"\xef\xbb\xbftitle\nJo\xe3o\nRoc\xedo\n"), Encoding::Utf8);
        assert_eq!(recognised(b"Bj\xc3\xb6rk\nJo\xe3o\n"), Encoding::Utf8, "one of two is broken");
        assert_eq!(recognised(b"L\xd5\x83t\x8e\n"), Encoding::MacRoman, "L’Été happens to match");
        assert_eq!(recognised(b"plain"), Encoding::Utf8);
        assert_eq!(recognised(b""), Encoding::Utf8);
    }

    #[test]
    fn the_delimiter_is_the_headers() {
        for (text, delimiter) in [
            ("title;artist;price\nA, B, C, D;x;12,50", b';'),
            ("\r\n\ntitle\tartist\nx", b'\t'),
            ("\"a;b;c;d\",title\n", b','),
            ("title\n;;;;", b','),
            ("", b','),
        ] {
            let survey = Survey::of(text.as_bytes(), None).expect("memory reads");
            assert_eq!(survey.delimiter, delimiter, "{text:?}");
        }
    }

    #[test]
    fn utf16_is_noticed() {
        assert!(Survey::of(b"\xff\xfet\0i\0".as_slice(), None).expect("reads").utf16);
    }

    /// Gives one byte at a time, so that every sequence is cut.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(buffer.len()).min(1);
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(bytes: Vec<u8>, text in "\\PC{0,40}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let whole = Survey::of(bytes, None).expect("memory reads");
                prop_assert_eq!(Survey::of(Drip(bytes), None).expect("memory reads"), whole);
            }
        }

        #[test]
        fn utf8_text_is_always_utf8(text in "\\PC{0,60}") {
            prop_assert_eq!(recognised(text.as_bytes()), Encoding::Utf8);
        }
    }
}
