//! The encodings that record lists come in, and how one field of bytes becomes text.
//!
//! All of them contain ASCII unchanged, so a file is split into fields as bytes and only the fields
//! are decoded: a broken byte spoils its own row and no other. Decoding never panics.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use encoding_rs::{MACINTOSH, WINDOWS_1252};
use thiserror::Error;

/// How the bytes of a file stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// Latin-1 as the world uses the name: windows-1252, as the WHATWG encoding standard does.
    Latin1,
    /// Mac OS Roman, what old spreadsheets on a Macintosh write.
    MacRoman,
    /// Mac Roman bytes that were once read as windows-1252 and saved as Mac Roman again. Public
    /// lists of albums circulate like this: 0xE6 stands for a no-break space, 0xE4 for "â".
    MacRomanTwice,
}

/// A name that is none of [`Encoding::ALL`]'s.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown encoding {0:?}: choose utf-8, latin-1, mac-roman or mac-roman-twice")]
pub struct UnknownEncoding(String);

/// A field that is not text in the encoding of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("broken encoding: byte 0x{byte:02X} at position {position} is not valid UTF-8")]
pub struct BrokenEncoding {
    /// The first byte that does not fit.
    pub byte: u8,
    /// Where it stands in the field, counted in bytes from 1.
    pub position: usize,
}

impl Encoding {
    /// Every encoding, in the order of preference when nothing speaks for one of them.
    pub const ALL: [Encoding; 4] =
        [Encoding::Utf8, Encoding::Latin1, Encoding::MacRoman, Encoding::MacRomanTwice];

    /// The name that `--encoding` takes.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Latin1 => "latin-1",
            Encoding::MacRoman => "mac-roman",
            Encoding::MacRomanTwice => "mac-roman-twice",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.trim().to_ascii_lowercase().replace('_', "-").as_str() {
            "utf-8" | "utf8" => Ok(Encoding::Utf8),
            "latin-1" | "latin1" | "iso-8859-1" | "windows-1252" => Ok(Encoding::Latin1),
            "mac-roman" | "macroman" | "macintosh" => Ok(Encoding::MacRoman),
            "mac-roman-twice" => Ok(Encoding::MacRomanTwice),
            _ => Err(UnknownEncoding(name.chars().take(NAME_SHOWN_CHARS_MAX).collect())),
        }
    }
}

/// How much of an unknown name is repeated in the error.
const NAME_SHOWN_CHARS_MAX: usize = 40;

/// The character of every byte in a single-byte encoding.
pub(super) type CharTable = [char; 256];

/// The table of a single-byte encoding; `None` for UTF-8.
pub(super) fn char_table(encoding: Encoding) -> Option<Box<CharTable>> {
    let char_of: fn(u8) -> char = match encoding {
        Encoding::Utf8 => return None,
        Encoding::Latin1 => |byte| decode_one(WINDOWS_1252, byte),
        Encoding::MacRoman => |byte| decode_one(MACINTOSH, byte),
        Encoding::MacRomanTwice => twice,
    };
    let mut table = Box::new(['\0'; 256]);
    for byte in 0..=u8::MAX {
        table[usize::from(byte)] = char_of(byte);
    }
    Some(table)
}

fn decode_one(encoding: &'static encoding_rs::Encoding, byte: u8) -> char {
    let bytes = [byte];
    let (text, _) = encoding.decode_without_bom_handling(&bytes);
    text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Undoes the second save, then reads the bytes as what they were. A character that windows-1252
/// does not have cannot come from the accident and is taken as it is.
fn twice(byte: u8) -> char {
    let once = decode_one(MACINTOSH, byte);
    let mut buffer = [0; 4];
    let (bytes, _, unmappable) = WINDOWS_1252.encode(once.encode_utf8(&mut buffer));
    match (bytes.first(), unmappable) {
        (Some(original), false) => decode_one(MACINTOSH, *original),
        _ => once,
    }
}

/// Turns the bytes of fields into text.
pub(super) struct Decoder {
    table: Option<Box<CharTable>>,
}

impl Decoder {
    pub(super) fn new(encoding: Encoding) -> Self {
        Decoder { table: char_table(encoding) }
    }

    /// The text of one field.
    ///
    /// # Errors
    /// Only UTF-8 can be broken: every byte means something in the single-byte encodings.
    pub(super) fn decode<'a>(&self, bytes: &'a [u8]) -> Result<Cow<'a, str>, BrokenEncoding> {
        match &self.table {
            Some(table) if !bytes.is_ascii() => {
                Ok(bytes.iter().map(|byte| table[usize::from(*byte)]).collect())
            }
            _ => str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
                let at = error.valid_up_to();
                let byte = bytes.get(at).copied().unwrap_or_default();
                BrokenEncoding { byte, position: at + 1 }
            }),
        }
    }

    /// The text of a field with every broken byte replaced: for showing, never for storing.
    pub(super) fn decode_lossy<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        self.decode(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: Encoding, bytes: &[u8]) -> String {
        Decoder::new(encoding).decode(bytes).expect("decodes").into_owned()
    }

    #[test]
    fn each_encoding_reads_its_own_bytes() {
        for (encoding, bytes, text) in [
            (Encoding::Utf8, "Château".as_bytes(), "Château"),
            (Encoding::Latin1, b"Ch\xe2teau \x80 \x92", "Château € ’"),
            (Encoding::MacRoman, b"Ch\x89teau,\xcaPop", "Château,\u{a0}Pop"),
            (Encoding::MacRomanTwice, b"Ch\xe4teau,\xe6Pop", "Château,\u{a0}Pop"),
            (Encoding::MacRomanTwice, b"Jo\xdco \xd1", "João ó"),
        ] {
            assert_eq!(decoded(encoding, bytes), text, "{encoding}");
        }
    }

    #[test]
    fn what_the_second_save_cannot_have_made_is_read_once() {
        // Infinity is in Mac Roman and not in windows-1252.
        assert_eq!(decoded(Encoding::MacRomanTwice, b"\xb0"), "∞");
    }

    #[test]
    fn broken_utf8_names_the_byte() {
        let error = Decoder::new(Encoding::Utf8).decode(b"caf\xe9 x").expect_err("broken");
        assert_eq!(error, BrokenEncoding { byte: 0xe9, position: 4 });
    }

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for encoding in Encoding::ALL {
            assert_eq!(encoding.name().parse(), Ok(encoding));
        }
        assert_eq!("MacRoman".parse(), Ok(Encoding::MacRoman));
        let error = "ebcdic".parse::<Encoding>().expect_err("unknown").to_string();
        assert_eq!(
            error,
            "unknown encoding \"ebcdic\": choose utf-8, latin-1, mac-roman or mac-roman-twice"
        );
    }
}
