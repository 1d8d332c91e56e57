//! Codes and keys as text and numbers: nothing here is stored.

use jiff::Timestamp;
use runout_store::Error;
use sha2::{Digest, Sha256};
use totp_rs::{Builder, Totp};

use super::RECOVERY_CODES;
use crate::accounts::verified::SecretHash;

/// Random bytes of a key: as many as SHA-1 gives (RFC 4226 section 4).
pub(crate) const KEY_BYTES: usize = 20;
/// Random bytes of a recovery code: 80 bits, so that one round of a fast hash protects it.
const RECOVERY_BYTES: usize = 10;
/// Seconds for which a code is shown.
const STEP_SECONDS: u64 = 30;
/// RFC 4648 section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Panicked(format!("no entropy: {error}")))?;
    Ok(bytes)
}

pub(super) fn new_key() -> Result<[u8; KEY_BYTES], Error> {
    random()
}

fn totp(key: [u8; KEY_BYTES]) -> Totp {
    // RFC 6238's own choices, which every device knows: SHA-1, six digits.
    Builder::new()
        .with_secret(key)
        .with_step_duration(STEP_SECONDS)
        .with_skew(1)
        .build_noncompliant()
}

/// The time step that a code belongs to: this one, or the one before or after.
pub(super) fn step_of(key: [u8; KEY_BYTES], code: &str, now: Timestamp) -> Option<i64> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now.as_second()).ok()?;
    totp(key).check(&digits, seconds).and_then(|step| i64::try_from(step).ok())
}

/// Bytes in base 32, without padding: made for lengths that need none.
fn base32(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut left) = (String::new(), 0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        left += 8;
        while left >= 5 {
            left -= 5;
            text.push(char::from(BASE32[(bits >> left) as usize & 31]));
        }
    }
    text
}

/// The text in groups of four.
fn grouped(text: &str, between: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let groups: Vec<String> = chars.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(between)
}

/// A key as it is typed into a device that cannot read pictures.
pub(crate) fn secret_text(key: &[u8]) -> String {
    grouped(&base32(key), " ")
}

/// The address that the picture says: what the device shall call it, and the key.
/// <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>
pub(crate) fn address(shop: &str, username: &str, key: &[u8]) -> String {
    let (shop, username) = (escaped(shop), escaped(username));
    format!("otpauth://totp/{shop}:{username}?secret={}&issuer={shop}", base32(key))
}

/// Everything but letters, digits and `-._~` as %XX: some devices read `+` as itself.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Codes such as `k3fz-7qxa-m2pw-c6yh`.
pub(super) fn new_recovery_codes() -> Result<Vec<String>, Error> {
    let code = || {
        let random = random::<RECOVERY_BYTES>()?;
        Ok(grouped(&base32(&random).to_lowercase(), "-"))
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// What is stored of a recovery code, whatever its case and however it is grouped.
pub(super) fn recovery_hash(code: &str) -> SecretHash {
    let plain = code.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = plain.map(|c| c.to_ascii_lowercase()).collect();
    Sha256::digest(plain).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a moment")
    }

    /// The key of RFC 6238 appendix B.
    const KEY: [u8; 20] = *b"12345678901234567890";

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        // Appendix B has eight digits; the last six are ours.
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step_of(KEY, code, at(second)), Some(second / 30), "{second}");
            let spaced = format!(" {} {}", &code[..3], &code[3..]);
            assert_eq!(step_of(KEY, &spaced, at(second)), Some(second / 30));
        }
    }

    #[test]
    fn one_step_of_drift_is_forgiven_and_no_more() {
        let (shown, code) = (1_111_111_111 / 30 * 30, "050471");
        for (second, taken) in [
            (shown - 31, false),
            (shown - 30, true),
            (shown, true),
            (shown + 59, true),
            (shown + 60, false),
        ] {
            assert_eq!(step_of(KEY, code, at(second)).is_some(), taken, "{second}");
        }
        for wrong in ["", "05047", "0504711", "+50471", "05047a", "٠٥٠٤٧١"] {
            assert_eq!(step_of(KEY, wrong, at(shown)), None, "{wrong:?}");
        }
    }

    #[test]
    fn keys_and_addresses_are_written_as_devices_read_them() {
        // RFC 4648 section 10, of the lengths that need no padding.
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(secret_text(&KEY), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(
            address("Rille & Co", "ana@b", &KEY),
            "otpauth://totp/Rille%20%26%20Co:ana%40b?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Rille%20%26%20Co"
        );
    }

    #[test]
    fn recovery_codes_are_read_however_they_are_typed() {
        let codes = new_recovery_codes().expect("entropy");
        assert_eq!(codes.len(), RECOVERY_CODES);
        let code = &codes[0];
        assert!(code.len() == 19 && code.split('-').all(|group| group.len() == 4), "{code}");
        let typed = code.to_uppercase().replace('-', " ");
        assert_eq!(recovery_hash(&typed), recovery_hash(code));
        assert_ne!(recovery_hash(&codes[1]), recovery_hash(code));
    }
}
