//! Records of a CSV file in bounded memory, with the line that each begins in.
//!
//! At most [`RECORD_BYTES_MAX`] and one chunk of the file are held at a time, whatever it contains.
//! The bytes of the current record stay until the next is asked for, so that a record which a
//! stray quote has stretched over its neighbours can be cut back to its first line and the
//! neighbours are read again. That happens at most once per line: reading always goes forward.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader};

use super::survey::UTF8_BOM;

/// Longest record that is read: 1 MB.
pub const RECORD_BYTES_MAX: usize = 1_000_000;
/// Bytes read from the source at a time.
const CHUNK_BYTES: usize = 64 * 1024;
const OUTPUT_BYTES_START: usize = 4 * 1024;
const ENDS_START: usize = 64;

/// What reading one record came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The fields of the current record can be read.
    Record,
    /// One line of more than [`RECORD_BYTES_MAX`]; it was skipped.
    TooLong,
    /// A quote opens in this line and does not close within [`RECORD_BYTES_MAX`] or at all; the
    /// line was skipped.
    QuoteNotClosed,
    /// No more records.
    End,
}

pub(super) struct Records<R> {
    source: R,
    ended: bool,
    parser: Reader,
    delimiter: u8,
    /// Bytes of the source from the current record on; those before `start` are done with.
    window: Vec<u8>,
    start: usize,
    /// Length of the current record in the window, its line end included.
    length: usize,
    /// Unquoted bytes of the current record's fields, and where each field ends.
    output: Vec<u8>,
    output_length: usize,
    ends: Vec<usize>,
    ends_length: usize,
    /// The line, from 1, of the window's `start`, and of the current record.
    next_line: u64,
    line: u64,
    after_carriage_return: bool,
    position: u64,
}

impl<R: Read> Records<R> {
    /// Reads records separated by `delimiter` from `source`; a byte order mark is skipped.
    pub(super) fn new(source: R, delimiter: u8) -> io::Result<Self> {
        let parser = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        let mut records = Records {
            source,
            ended: false,
            parser,
            delimiter,
            window: Vec::new(),
            start: 0,
            length: 0,
            output: vec![0; OUTPUT_BYTES_START],
            output_length: 0,
            ends: vec![0; ENDS_START],
            ends_length: 0,
            next_line: 1,
            line: 1,
            after_carriage_return: false,
            position: 0,
        };
        while records.window.len() < UTF8_BOM.len() && !records.ended {
            records.fill()?;
        }
        if records.window.starts_with(UTF8_BOM) {
            records.advance(UTF8_BOM.len());
        }
        Ok(records)
    }

    /// Reads the next record; empty lines are skipped.
    ///
    /// # Errors
    /// Only those of the source.
    pub(super) fn read(&mut self) -> io::Result<Outcome> {
        self.advance(self.length);
        self.length = 0;
        self.output_length = 0;
        self.ends_length = 0;
        if !self.skip_line_ends()? {
            return Ok(Outcome::End);
        }
        self.line = self.next_line;
        loop {
            if self.length > RECORD_BYTES_MAX {
                return self.cut_to_first_line();
            }
            match self.parse() {
                ReadRecordResult::Record if self.length > RECORD_BYTES_MAX => {
                    return self.cut_to_first_line();
                }
                ReadRecordResult::Record => return Ok(Outcome::Record),
                ReadRecordResult::OutputFull => self.output.resize(self.output.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty if self.ended => return self.cut_to_first_line(),
                ReadRecordResult::InputEmpty => self.fill()?,
                ReadRecordResult::End => return Ok(Outcome::End),
            }
        }
    }

    /// Gives the parser what the window holds beyond the record so far. At the end of the source it
    /// gets a line end instead, which ends every record but one with an open quote.
    fn parse(&mut self) -> ReadRecordResult {
        let input = &self.window[self.start + self.length..];
        let at_end = input.is_empty() && self.ended;
        if input.is_empty() && !self.ended {
            return ReadRecordResult::InputEmpty;
        }
        let (result, read, written, ended) = self.parser.read_record(
            if at_end { b"\n" } else { input },
            &mut self.output[self.output_length..],
            &mut self.ends[self.ends_length..],
        );
        self.length += if at_end { 0 } else { read };
        self.output_length += written;
        self.ends_length += ended;
        match result {
            // The window is used up but the source may not be: only the line end above decides.
            ReadRecordResult::InputEmpty if !at_end && self.ended => self.parse(),
            other => other,
        }
    }

    /// Gives up the current record but for its first line, which is skipped, and goes on after it.
    fn cut_to_first_line(&mut self) -> io::Result<Outcome> {
        self.parser.reset();
        let mut skipped = 0;
        loop {
            let rest = &self.window[self.start..];
            if let Some(end) = rest.iter().position(|byte| is_line_end(*byte)) {
                self.length = end + 1;
                let too_long = skipped + end > RECORD_BYTES_MAX;
                return Ok(if too_long { Outcome::TooLong } else { Outcome::QuoteNotClosed });
            }
            if self.ended {
                self.length = rest.len();
                let too_long = skipped + rest.len() > RECORD_BYTES_MAX;
                return Ok(if too_long { Outcome::TooLong } else { Outcome::QuoteNotClosed });
            }
            let length = rest.len();
            skipped += length;
            self.advance(length);
            self.fill()?;
        }
    }

    /// Whether the current record has several lines and a quote in it closes in the middle of a
    /// field: then it is not one record but a stray quote, closed by one of a later row.
    pub(super) fn is_glued(&self) -> bool {
        let record = &self.window[self.start..self.start + self.length];
        let last = record.iter().rposition(|byte| !is_line_end(*byte)).unwrap_or_default();
        record[..last].iter().any(|byte| is_line_end(*byte))
            && closes_inside_a_field(record, self.delimiter)
    }

    /// Takes back all of the current record but its first line: what follows is read again.
    /// Returns whether the record had more than one line.
    pub(super) fn keep_first_line_only(&mut self) -> bool {
        let record = &self.window[self.start..self.start + self.length];
        match record.iter().position(|byte| is_line_end(*byte)) {
            Some(end) if end + 1 < self.length => {
                self.length = end + 1;
                true
            }
            _ => false,
        }
    }

    /// Skips line ends before a record; `false` at the end of the source.
    fn skip_line_ends(&mut self) -> io::Result<bool> {
        loop {
            match self.window.get(self.start) {
                Some(byte) if is_line_end(*byte) => self.advance(1),
                Some(_) => return Ok(true),
                None if self.ended => return Ok(false),
                None => self.fill()?,
            }
        }
    }

    /// Is done with `count` bytes of the window. "\n", "\r\n" and "\r" each end one line.
    fn advance(&mut self, count: usize) {
        for byte in &self.window[self.start..self.start + count] {
            let ends_line = *byte == b'\r' || (*byte == b'\n' && !self.after_carriage_return);
            self.next_line += u64::from(ends_line);
            self.after_carriage_return = *byte == b'\r';
        }
        self.start += count;
        self.position += count as u64;
    }

    fn fill(&mut self) -> io::Result<()> {
        self.window.drain(..self.start);
        self.start = 0;
        let length = self.window.len();
        self.window.resize(length + CHUNK_BYTES, 0);
        let read = loop {
            match self.source.read(&mut self.window[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.window.truncate(length + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(())
    }

    /// The line, from 1, in which the current record begins.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Bytes of the source up to the current record.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Number of fields in the current record.
    pub(super) fn len(&self) -> usize {
        self.ends_length
    }

    /// The bytes of the current record's field, unquoted; empty beyond its last.
    pub(super) fn field(&self, index: usize) -> &[u8] {
        let ends = &self.ends[..self.ends_length];
        let start = match index {
            0 => 0,
            index => ends.get(index - 1).copied().unwrap_or(self.output_length),
        };
        let end = ends.get(index).copied().unwrap_or(start);
        &self.output[start..end]
    }

    /// The fields of the current record.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.field(index))
    }
}

/// Whether a quoted field goes on, other than with blanks, after its closing quote.
fn closes_inside_a_field(record: &[u8], delimiter: u8) -> bool {
    let mut rest = record;
    loop {
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            rest = quoted;
            // To the closing quote: a doubled one is content.
            loop {
                let Some(at) = rest.iter().position(|byte| *byte == b'"') else { return false };
                rest = &rest[at + 1..];
                let Some(doubled) = rest.strip_prefix(b"\"") else { break };
                rest = doubled;
            }
            let next = rest.iter().find(|byte| **byte != b' ').copied();
            if next.is_some_and(|byte| byte != delimiter && !is_line_end(byte)) {
                return true;
            }
        }
        let Some(at) = rest.iter().position(|byte| *byte == delimiter) else { return false };
        rest = &rest[at + 1..];
    }
}

fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Row = (u64, Result<Vec<Vec<u8>>, Outcome>);

    fn all(source: impl Read) -> Vec<Row> {
        let mut records = Records::new(source, b',').expect("memory reads");
        let mut found = Vec::new();
        loop {
            let result = match records.read().expect("memory reads") {
                Outcome::End => return found,
                Outcome::Record => Ok(records.fields().map(<[u8]>::to_vec).collect()),
                other => Err(other),
            };
            found.push((records.line(), result));
        }
    }

    fn row(line: u64, fields: &[&str]) -> Row {
        (line, Ok(fields.iter().map(|field| field.as_bytes().to_vec()).collect()))
    }

    #[test]
    fn lines_are_counted_over_every_kind_of_line_end() {
        let text = "\u{feff}a,b\r\n\r\n1,\"x\ny\"\r3,4\n\n\r\n\"\",";
        assert_eq!(
            all(text.as_bytes()),
            [row(1, &["a", "b"]), row(3, &["1", "x\ny"]), row(5, &["3", "4"]), row(8, &["", ""])]
        );
    }

    #[test]
    fn an_open_quote_costs_one_line() {
        assert_eq!(
            all(b"a,b\n\"1,2\n3,4\n".as_slice()),
            [row(1, &["a", "b"]), (2, Err(Outcome::QuoteNotClosed)), row(3, &["3", "4"])]
        );
        assert_eq!(all(b"a\n\"".as_slice()), [row(1, &["a"]), (2, Err(Outcome::QuoteNotClosed))]);
    }

    #[test]
    fn giants_are_skipped_in_bounded_memory() {
        let giant = "x".repeat(10_000_000);
        for text in [format!("a\n{giant}\nb"), format!("a\n\"{giant}\"\nb")] {
            let mut records = Records::new(text.as_bytes(), b',').expect("memory reads");
            let mut seen = Vec::new();
            loop {
                let read = records.read().expect("memory reads");
                assert!(records.window.capacity() < 4 * RECORD_BYTES_MAX);
                assert!(records.output.capacity() < 4 * RECORD_BYTES_MAX);
                if read == Outcome::End {
                    break;
                }
                seen.push((records.line(), read));
            }
            assert_eq!(seen, [(1, Outcome::Record), (2, Outcome::TooLong), (3, Outcome::Record)]);
        }
    }

    #[test]
    fn a_stretched_record_is_cut_back() {
        let text = "a,b\n\"1,2\n3,\"4\n5,6\n";
        let mut records = Records::new(text.as_bytes(), b',').expect("memory reads");
        records.read().expect("reads");
        records.read().expect("reads");
        assert_eq!(records.len(), 1, "the quote closed in the next line");
        assert!(records.keep_first_line_only());
        assert_eq!(records.read().expect("reads"), Outcome::QuoteNotClosed);
        assert_eq!(records.line(), 3);
        assert_eq!(records.read().expect("reads"), Outcome::Record);
        assert_eq!((records.line(), records.field(1)), (4, b"6".as_slice()));
        assert!(!records.keep_first_line_only());
    }

    #[test]
    fn a_million_fields_are_still_a_record() {
        let text = ",".repeat(RECORD_BYTES_MAX - 1);
        let mut records = Records::new(text.as_bytes(), b',').expect("memory reads");
        assert_eq!(records.read().expect("reads"), Outcome::Record);
        assert_eq!(records.len(), RECORD_BYTES_MAX);
    }

    /// Gives `step` bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(buffer.len()).min(self.1);
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(text in "[a\",\r\n]{0,40}", step in 1_usize..9) {
            prop_assert_eq!(all(Drip(text.as_bytes(), step)), all(text.as_bytes()));
        }

        #[test]
        fn what_the_csv_crate_writes_is_read_back(
            rows in prop::collection::vec(
                prop::collection::vec("[a-c\",;\r\n é]{0,6}", 1..5), 0..6
            ),
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for fields in &rows {
                writer.write_record(fields).expect("memory writes");
            }
            let bytes = writer.into_inner().expect("memory writes");
            let read: Vec<_> = all(bytes.as_slice()).into_iter().map(|(_, row)| row).collect();
            let expected: Vec<_> = rows
                .iter()
                .map(|row| Ok(row.iter().map(|field| field.as_bytes().to_vec()).collect()))
                .collect();
            prop_assert_eq!(read, expected);
        }
    }
}
