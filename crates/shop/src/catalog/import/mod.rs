//! `runout import discs FILE`: from the bytes of a file to rows of records, and from rows to
//! products ([`discs`]).
//!
//! Two passes, each in bounded memory: [`Survey`] reads the whole file to find its encoding and
//! delimiter, [`Rows`] reads it again and gives one checked [`DiscRow`] or the faults of one row at
//! a time. What must always hold: no input panics or runs forever, a bad row never hides a good
//! one, and the same file gives the same keys every time, so that importing it again changes
//! nothing. Only [`discs`] touches the database.

mod amounts;
mod batch;
mod discs;
mod encoding;
mod header;
mod plausibility;
mod records;
mod rows;
mod survey;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use runout_core::money::Currency;
use thiserror::Error;

pub use amounts::{parse_currency, parse_price};
pub use discs::{ERRORS_KEPT_MAX, Intake, Progress, Report, StockIntake, discs};
pub use encoding::{BrokenEncoding, Encoding, UnknownEncoding};
pub use header::COLUMNS_MAX;
pub use records::RECORD_BYTES_MAX;
pub use rows::{
    ARTIST_CHARS_MAX, ATTRIBUTE_CHARS_MAX, DESCRIPTION_CHARS_MAX, DiscRow, LABEL_CHARS_MAX,
    QUANTITY_MAX, Rows, SKU_CHARS_MAX, STYLE_CHARS_MAX, TITLE_CHARS_MAX, YEAR_MAX, YEAR_MIN,
};
pub use survey::Survey;

/// What the user may say about a file.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The encoding; recognised if `None`.
    pub encoding: Option<Encoding>,
    /// The currency of prices that name none.
    pub default_currency: Currency,
}

/// Which kind of file a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Columns matched by their names.
    Generic,
    /// A Discogs inventory export: it has the columns listing_id and release_id.
    Discogs,
}

/// Why nothing of a file can be imported. The text is one line that says what to do.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be opened or read.
    #[error("cannot read the file: {0}")]
    Unreadable(#[from] io::Error),
    /// The file has the byte order mark of UTF-16.
    #[error("the file is UTF-16: save it as UTF-8 (in a spreadsheet: \"CSV UTF-8\") and try again")]
    Utf16,
    /// The header line does not do.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// What is wrong with a header line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// There is no line with content.
    #[error("the file is empty: it needs a header line with a title column")]
    Empty,
    /// The first line is over-long or has an open quote.
    #[error("the header line cannot be read: {0}")]
    Unreadable(&'static str),
    /// More than [`COLUMNS_MAX`].
    #[error("the header has {columns} columns, more than {COLUMNS_MAX}")]
    TooManyColumns {
        /// How many there are.
        columns: usize,
    },
    /// No column is known to hold the title.
    #[error(
        "there is no title column: the header has {seen}; one of title, album, name or disc is \
         needed (and artist, year, genre, style, subgenre, label, catno, format, barcode, \
         description, sku, price, currency, quantity, location are known)"
    )]
    NoTitle {
        /// The names in the header, separated by commas.
        seen: String,
    },
    /// Two columns mean the same field.
    #[error("{}", duplicate(first, second))]
    Duplicate {
        /// The name of the first column.
        first: String,
        /// The name of the second, which may be the same.
        second: String,
    },
}

fn duplicate(first: &str, second: &str) -> String {
    if first == second {
        format!("the column \"{first}\" stands twice: rename or remove one")
    } else {
        format!("the columns \"{first}\" and \"{second}\" mean the same: rename or remove one")
    }
}

/// One fault of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The line, from 1, in which the row begins.
    pub line: u64,
    /// The column's name in the file; `None` if the fault is the row's.
    pub column: Option<String>,
    /// What is wrong, with the value where it helps: "19755 is not a year between 1860 and 2100".
    pub reason: String,
    /// The start of the value, without control characters.
    pub value: Option<String>,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => {
                write!(f, "line {}, column \"{column}\": {}", self.line, self.reason)
            }
            None => write!(f, "line {}: {}", self.line, self.reason),
        }
    }
}

impl std::error::Error for RowError {}

/// Why a row is not a disc.
#[derive(Debug, Error)]
pub enum BadRow {
    /// Its faults, all of them, at least one. The rows after it go on.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Faulty(Vec<RowError>),
    /// The file could not be read on; no more rows follow.
    #[error("line {line}: cannot read on: {source}")]
    Unreadable {
        /// The line up to which the file was read.
        line: u64,
        /// What the system says.
        source: io::Error,
    },
}

/// Opens a file, surveys it, and stands before its first row.
///
/// # Errors
/// The file cannot be read, is UTF-16, or its header does not do.
pub fn open(path: &Path, options: &Options) -> Result<(Survey, Rows<File>), ImportError> {
    let survey = Survey::of(File::open(path)?, options.encoding)?;
    let rows = Rows::new(File::open(path)?, &survey, options)?;
    Ok((survey, rows))
}
