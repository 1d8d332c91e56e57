//! Countries by their ISO 3166-1 alpha-2 codes.

use std::fmt;
use std::str::FromStr;

/// The officially assigned codes, sorted.
const CODES: &[u8] = b"\
    ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCN\
    COCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHM\
    HNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMK\
    MLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURW\
    SASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVI\
    VNVUWFWSYEYTZAZMZW";

/// A country, by its officially assigned ISO 3166-1 alpha-2 code in capitals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

/// The text is no such code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an ISO 3166-1 country code such as DE")]
pub struct UnknownCountry;

impl Country {
    /// The two-letter code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("codes are ASCII")
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(code: &str) -> Result<Self, UnknownCountry> {
        let code: [u8; 2] = code.as_bytes().try_into().map_err(|_| UnknownCountry)?;
        let (codes, _) = CODES.as_chunks::<2>();
        codes.binary_search(&code).map(|_| Self(code)).map_err(|_| UnknownCountry)
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_whole() {
        let (codes, rest) = CODES.as_chunks::<2>();
        assert_eq!((codes.len(), rest.len()), (249, 0));
        assert!(codes.is_sorted_by(|one, next| one < next), "sorted, none twice");
        assert!(CODES.iter().all(u8::is_ascii_uppercase));
    }

    #[test]
    fn only_assigned_codes_in_capitals_are_known() {
        for (code, known) in [
            ("AD", true),
            ("DE", true),
            ("GB", true),
            ("US", true),
            ("ZW", true),
            // Exceptionally reserved, user-assigned, withdrawn; across two codes; other shapes.
            ("UK", false),
            ("EU", false),
            ("XK", false),
            ("AN", false),
            ("DA", false),
            ("de", false),
            ("DEU", false),
            ("D", false),
            ("", false),
            ("ÄD", false),
        ] {
            assert_eq!(code.parse::<Country>().is_ok(), known, "{code}");
        }
        assert_eq!("NL".parse::<Country>().expect("a country").to_string(), "NL");
    }
}
