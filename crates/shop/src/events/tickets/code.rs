//! What stands on a ticket: a code that nobody can make or read but the shop.
//!
//! Deterministic authenticated encryption, SIV as of Rogaway and Shrimpton ("Deterministic
//! Authenticated-Encryption", 2006; RFC 5297 has the AES form), with HMAC-SHA256 as the
//! pseudo-random function for both halves:
//!
//! ```text
//! tag  = the first 80 bits of HMAC(key "authenticate", version, plain)
//! body = plain XOR the first 65 bits of HMAC(key "encrypt", version, tag)
//! code = version (5 bits), tag (80 bits), body (65 bits): 30 characters of Crockford's base32
//! ```
//!
//! The tag is also what the key stream is made from, so neighbouring tickets have nothing in
//! common: no order's number can be read from a code, or from two. No randomness is needed and
//! nothing is stored; the same ticket has the same code for ever. A forger has to guess 80 bits,
//! one request at a time, as a member of staff.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The first character; another way to make codes gets another one.
const VERSION: u8 = 1;
const TAG_BYTES: usize = 10;
/// Characters of five bits each.
const TAG_CHARS: usize = 16;
const BODY_CHARS: usize = 13;
const CODE_CHARS: usize = 1 + TAG_CHARS + BODY_CHARS;
const BODY_BITS: u32 = 65;
/// Bits of a unit's number, of a line's number; an order's number has the rest of the body.
const NUMBER_BITS: u32 = 14;
const LINE_BITS: u32 = 7;
const ORDER_BITS: u32 = BODY_BITS - LINE_BITS - NUMBER_BITS;
/// Characters between two spaces.
const GROUP_CHARS: usize = 5;
/// Longer texts are no codes, however many spaces they have.
const TYPED_BYTES_MAX: usize = 100;

/// Without I, L, O and U, which are taken for others. <https://www.crockford.com/base32.html>
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A unit of an order's line: what is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    pub order_id: i64,
    pub line_no: i64,
    /// Counted from 1 to the line's quantity.
    pub number: i64,
}

impl Ticket {
    /// None if it is too large for a code; orders are counted to 17 million millions.
    fn packed(self) -> Option<u128> {
        let part = |value: i64, bits: u32| {
            let value = u128::try_from(value).ok()?;
            (value > 0 && value < 1 << bits).then_some(value)
        };
        let order = part(self.order_id, ORDER_BITS)?;
        let line = part(self.line_no, LINE_BITS)?;
        let number = part(self.number, NUMBER_BITS)?;
        Some((order << LINE_BITS | line) << NUMBER_BITS | number)
    }

    fn unpacked(packed: u128) -> Option<Self> {
        let part = |shift: u32, bits: u32| {
            let value = (packed >> shift) & ((1 << bits) - 1);
            i64::try_from(value).ok().filter(|value| *value > 0)
        };
        Some(Self {
            order_id: part(LINE_BITS + NUMBER_BITS, ORDER_BITS)?,
            line_no: part(NUMBER_BITS, LINE_BITS)?,
            number: part(0, NUMBER_BITS)?,
        })
    }
}

/// A ticket's code. `Display` writes it in groups, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code([u8; CODE_CHARS]);

impl Code {
    /// The code without spaces, for machines.
    pub fn compact(&self) -> String {
        self.0.iter().map(|&value| char::from(ALPHABET[usize::from(value)])).collect()
    }

    /// Reads what was typed or scanned: in any case, with spaces and hyphens anywhere, O for 0, I
    /// and L for 1. None if it is no code's text.
    fn typed(text: &str) -> Option<Self> {
        if text.len() > TYPED_BYTES_MAX {
            return None;
        }
        let mut values = text.bytes().filter(|byte| !matches!(byte, b' ' | b'-'));
        let mut code = [0; CODE_CHARS];
        for place in &mut code {
            *place = value_of(values.next()?)?;
        }
        values.next().is_none().then_some(Self(code))
    }

    fn tag(&self) -> [u8; TAG_BYTES] {
        let tag = join(&self.0[1..=TAG_CHARS]).to_be_bytes();
        tag[16 - TAG_BYTES..].try_into().expect("ten of sixteen bytes")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compact = self.compact();
        for (index, character) in compact.chars().enumerate() {
            if index > 0 && index % GROUP_CHARS == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{character}")?;
        }
        Ok(())
    }
}

fn value_of(typed: u8) -> Option<u8> {
    let wanted = match typed.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    let found = ALPHABET.iter().position(|known| *known == wanted)?;
    u8::try_from(found).ok()
}

/// Five bits each, the highest first.
fn join(values: &[u8]) -> u128 {
    values.iter().fold(0, |joined, value| joined << 5 | u128::from(*value))
}

fn split(mut joined: u128, values: &mut [u8]) {
    for value in values.iter_mut().rev() {
        *value = (joined & 31) as u8;
        joined >>= 5;
    }
    debug_assert_eq!(joined, 0, "more bits than characters");
}

/// Makes and reads codes with the secret of one database.
pub struct Signer {
    authenticate: Hmac<Sha256>,
    encrypt: Hmac<Sha256>,
}

impl Signer {
    pub fn new(secret: &[u8]) -> Self {
        let key = |purpose: &[u8]| {
            let mut derived = keyed(secret);
            derived.update(b"runout ticket: ");
            derived.update(purpose);
            keyed(&derived.finalize().into_bytes())
        };
        Self { authenticate: key(b"authenticate"), encrypt: key(b"encrypt") }
    }

    /// The code of a ticket.
    ///
    /// # Panics
    /// When a number is not one of an order, a line or a unit: they are counted from 1, to 100
    /// lines and 10,000 units, and orders to 17 million millions.
    pub fn code(&self, ticket: Ticket) -> Code {
        let packed = ticket.packed().expect("the parts of a ticket are within their bounds");
        let tag = self.tag_of(packed).finalize().into_bytes();
        let tag: [u8; TAG_BYTES] = tag[..TAG_BYTES].try_into().expect("ten of 32 bytes");
        let mut wide = [0; 16];
        wide[16 - TAG_BYTES..].copy_from_slice(&tag);
        let mut code = [0; CODE_CHARS];
        code[0] = VERSION;
        split(u128::from_be_bytes(wide), &mut code[1..=TAG_CHARS]);
        split(packed ^ self.stream_of(tag), &mut code[1 + TAG_CHARS..]);
        Code(code)
    }

    /// The ticket of a code that was typed or scanned; none if the shop has not made it. Compares
    /// in constant time.
    pub fn ticket(&self, typed: &str) -> Option<Ticket> {
        let code = Code::typed(typed).filter(|code| code.0[0] == VERSION)?;
        let tag = code.tag();
        let packed = join(&code.0[1 + TAG_CHARS..]) ^ self.stream_of(tag);
        self.tag_of(packed).verify_truncated_left(&tag).ok()?;
        Ticket::unpacked(packed)
    }

    fn tag_of(&self, packed: u128) -> Hmac<Sha256> {
        let mut mac = self.authenticate.clone();
        mac.update(&[VERSION]);
        mac.update(&packed.to_be_bytes());
        mac
    }

    fn stream_of(&self, tag: [u8; TAG_BYTES]) -> u128 {
        let mut mac = self.encrypt.clone();
        mac.update(&[VERSION]);
        mac.update(&tag);
        let stream = mac.finalize().into_bytes();
        let first: [u8; 16] = stream[..16].try_into().expect("16 of 32 bytes");
        u128::from_be_bytes(first) >> (128 - BODY_BITS)
    }
}

/// Hides the keys.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
#[path = "code_tests.rs"]
mod tests;
