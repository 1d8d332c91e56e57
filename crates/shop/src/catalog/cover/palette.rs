//! Colours of covers: some go with a style, the record itself decides among them.

use super::Chance;

/// Ground and words, and two colours to draw with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Palette {
    pub ground: &'static str,
    pub ink: &'static str,
    pub one: &'static str,
    pub two: &'static str,
}

const fn of(
    ground: &'static str,
    ink: &'static str,
    one: &'static str,
    two: &'static str,
) -> Palette {
    Palette { ground, ink, one, two }
}

pub(super) static PALETTES: [Palette; 16] = [
    of("#f2e3c6", "#2a1a12", "#b8432f", "#e2a23b"),
    of("#14213d", "#f4efe2", "#e5b25d", "#4a7c9b"),
    of("#1f3a2e", "#f0ead6", "#c9a24b", "#6f9f7f"),
    of("#4a1022", "#f7e9df", "#e0766a", "#d9b46a"),
    of("#efeae0", "#161616", "#161616", "#c23b22"),
    of("#0f3a5f", "#ffffff", "#f2c230", "#7fb3d5"),
    of("#141414", "#f3f0e8", "#c8202d", "#77736b"),
    of("#f3c6c9", "#2b1330", "#7b2d5e", "#e4572e"),
    of("#1a1033", "#e8f9ff", "#29e0c8", "#ff4fa3"),
    of("#dcc7a1", "#2b2418", "#6a7b4f", "#a4502c"),
    of("#cfe4d8", "#12322c", "#1f6f5c", "#e58e50"),
    of("#c9dcec", "#10243a", "#27548a", "#e2543f"),
    of("#d99a2b", "#211405", "#7c2d12", "#fbe8c0"),
    of("#12351f", "#fff4d0", "#f1c40f", "#d5392b"),
    of("#e8552d", "#1c0d06", "#1c0d06", "#ffd9a0"),
    of("#e6e2f1", "#231a3d", "#5b4bb0", "#e8a13a"),
];

/// Which palettes go with a style whose name contains the word.
const STYLES: [(&str, &[usize]); 17] = [
    ("metal", &[6, 3]),
    ("punk", &[7, 14, 4]),
    ("hip hop", &[6, 12, 4, 14]),
    ("electronic", &[8, 15, 11, 1]),
    ("techno", &[8, 6, 15]),
    ("house", &[8, 15, 11]),
    ("soul", &[12, 7, 0, 3]),
    ("funk", &[12, 7, 14, 13]),
    ("folk", &[9, 2, 10, 0]),
    ("country", &[9, 0, 12]),
    ("jazz", &[5, 1, 4, 11]),
    ("blues", &[1, 5, 9]),
    ("reggae", &[13, 2, 12]),
    ("latin", &[14, 12, 13]),
    ("classical", &[4, 2, 10, 3]),
    ("pop", &[7, 11, 10, 15]),
    ("rock", &[6, 0, 4, 3, 1, 14, 9]),
];

/// The colours of a record of this style.
pub(super) fn palette(style: &str, chance: &mut Chance) -> Palette {
    let style = style.to_lowercase();
    let fitting = STYLES.iter().find(|(word, _)| style.contains(word)).map(|(_, some)| *some);
    match fitting {
        Some(some) => PALETTES[some[chance.below(some.len())]],
        None => PALETTES[chance.below(PALETTES.len())],
    }
}
