//! Lanes: shares of all things, so that several nodes can deliver side by side.

/// Number of lanes. A constant of the schema: deliveries that wait keep the lane they were given.
pub const LANES: u32 = 32;

/// A share of all things, below [`LANES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub u32);

/// The lane of a thing: by FNV-1a (Fowler, Noll, Vo; 64 bits), which is the same on every machine
/// and in every version.
pub fn lane_of(entity: &str, id: i64) -> Lane {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = OFFSET;
    for byte in entity.bytes().chain(id.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    }
    // The low bits of FNV of short texts are its weak ones.
    Lane(((hash >> 32) ^ hash) as u32 % LANES)
}

/// How many lanes each of `nodes` nodes holds at most, so that none is left over.
pub fn share(nodes: usize) -> usize {
    (LANES as usize).div_ceil(nodes.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_spread_over_all_lanes_and_stay_where_they_are() {
        let mut counts = [0; LANES as usize];
        for id in 0..3_200 {
            counts[lane_of("post", id).0 as usize] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
        assert_eq!(lane_of("post", 7), lane_of("post", 7));
        // Deliveries that wait in a database know their lane: these numbers may never change.
        let known = [("post", 1), ("post", 2), ("order", 1)].map(|(e, id)| lane_of(e, id).0);
        assert_eq!(known, KNOWN);
    }

    const KNOWN: [u32; 3] = [17, 11, 16];

    #[test]
    fn shares_leave_no_lane_over() {
        for nodes in 1..=LANES as usize {
            assert!(share(nodes) * nodes >= LANES as usize);
        }
        assert_eq!([share(0), share(1), share(2), share(3)], [32, 32, 16, 11]);
    }
}
