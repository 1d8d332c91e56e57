//! Chance by seed: the same seed gives the same misfortunes.

/// Splitmix64, by Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Chance of its own for a thing that these numbers name.
    pub(crate) fn of(seed: u64, thing: &[u64]) -> Self {
        let mut own = Self(seed);
        for part in thing {
            let mixed = own.next();
            own.0 = mixed ^ part;
        }
        // What differs in the last part alone shall differ everywhere.
        let mixed = own.next();
        Self(mixed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A number from `least` to `most`.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let which = usize::try_from(self.below(of.len() as u64)).expect("an index");
        &of[which]
    }

    /// True `permille` times of a thousand.
    pub(crate) fn happens(&mut self, permille: u32) -> bool {
        self.below(1000) < u64::from(permille)
    }
}
