//! The demo shop: `fixtures/discs.csv`, made from the public list of 500 albums that the import is
//! tested with. Titles, artists, years and genres are the list's, cleaned; prices and stock are
//! made up, the same in every run.

use std::path::Path;
use std::process::ExitCode;

use encoding_rs::{MACINTOSH, WINDOWS_1252};

const SOURCE: &str = "crates/shop/tests/data/albums-500.csv";
const TARGET: &str = "fixtures/discs.csv";
const HEADER: [&str; 10] = [
    "title", "artist", "year", "genre", "subgenre", "format", "sku", "price", "currency",
    "quantity",
];
/// Prices go from 9.90 to 49.90 in steps of 1.00, most of them below 30.
const PRICE_CENTS_MIN: u64 = 990;
const PRICE_STEP_CENTS: u64 = 100;
const PRICE_STEPS: u64 = 40;
/// Of a hundred records, so many are sold out, and so many have one to three copies left.
const SOLD_OUT_PERCENT: u64 = 4;
const NEARLY_GONE_PERCENT: u64 = 6;
const NEARLY_GONE_MAX: u64 = 3;
const STOCK_MAX: u64 = 60;

/// Writes the demo data under `root`.
pub(crate) fn run(root: &Path) -> ExitCode {
    let written = std::fs::read(root.join(SOURCE))
        .map_err(|error| format!("{SOURCE}: {error}"))
        .and_then(|source| generate(&source))
        .and_then(|text| {
            std::fs::write(root.join(TARGET), text).map_err(|error| format!("{TARGET}: {error}"))
        });
    match written {
        Ok(()) => {
            println!("demo-data: wrote {TARGET}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("demo-data: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The demo data made from the bytes of the list (columns Number, Year, Album, Artist, Genre,
/// Subgenre).
fn generate(source: &[u8]) -> Result<Vec<u8>, String> {
    let text = |error: csv::Error| format!("{SOURCE}: {error}");
    let mut reader = csv::Reader::from_reader(source);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER).map_err(text)?;
    for (record, rank) in reader.byte_records().zip(1_u64..) {
        let record = record.map_err(text)?;
        let [_, year, album, artist, genre, subgenre] =
            std::array::from_fn(|index| clean(record.get(index).unwrap_or_default()));
        let subgenre = if subgenre == "None" { String::new() } else { subgenre };
        let (sku, price, quantity) = (format!("RO-{rank:04}"), price(rank), stock(rank));
        let row = [album, artist, year, genre, subgenre, "LP".to_owned(), sku, price];
        let row = row.into_iter().chain(["EUR".to_owned(), quantity.to_string()]);
        writer.write_record(row).map_err(text)?;
    }
    writer.into_inner().map_err(|error| format!("{TARGET}: {error}"))
}

/// The list is Mac Roman that was read as windows-1252 and saved as Mac Roman again.
fn clean(field: &[u8]) -> String {
    let (once, _) = MACINTOSH.decode_without_bom_handling(field);
    let (original, _, _) = WINDOWS_1252.encode(&once);
    let (text, _) = MACINTOSH.decode_without_bom_handling(&original);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn price(rank: u64) -> String {
    // The smaller of two draws: dear records are rare.
    let draw = |salt| mixed(rank, salt) % (PRICE_STEPS + 1);
    let cents = PRICE_CENTS_MIN + PRICE_STEP_CENTS * draw(1).min(draw(2));
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn stock(rank: u64) -> u64 {
    let amount = mixed(rank, 4);
    match mixed(rank, 3) % 100 {
        percent if percent < SOLD_OUT_PERCENT => 0,
        percent if percent < SOLD_OUT_PERCENT + NEARLY_GONE_PERCENT => 1 + amount % NEARLY_GONE_MAX,
        _ => NEARLY_GONE_MAX + 1 + amount % (STOCK_MAX - NEARLY_GONE_MAX),
    }
}

/// A number that looks random and depends on the arguments only: the finaliser of SplitMix64
/// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn mixed(rank: u64, salt: u64) -> u64 {
    let mut bits = (rank << 8 | salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALBUMS: &[u8] = include_bytes!("../../shop/tests/data/albums-500.csv");

    #[test]
    fn the_fixture_is_what_the_generator_writes() {
        let fixture = include_str!("../../../fixtures/discs.csv");
        let generated = String::from_utf8(generate(ALBUMS).expect("generates")).expect("UTF-8");
        assert!(generated == fixture, "run: cargo run -p xtask -- demo-data");
    }

    #[test]
    fn stock_is_that_of_a_shop() {
        let counts = |range: std::ops::RangeInclusive<u64>| {
            (1..=500).filter(|rank| range.contains(&stock(*rank))).count()
        };
        assert_eq!(counts(0..=STOCK_MAX), 500);
        assert!((5..=40).contains(&counts(0..=0)), "a few are sold out");
        assert!((10..=60).contains(&counts(1..=NEARLY_GONE_MAX)), "a few are nearly gone");
    }
}
