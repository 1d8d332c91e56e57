//! Seeds of what a test leaves to chance.

/// The seed of a test: its own, or the one in `RUNOUT_TEST_SEED`, where `random` draws one (as
/// `make soak` does). By itself a test does the same every time: what fails is the change's fault
/// and not the day's.
pub fn seed(own: u64) -> u64 {
    let seed = match std::env::var("RUNOUT_TEST_SEED").as_deref() {
        Err(_) => own,
        Ok("random") => {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).expect("entropy");
            u64::from_le_bytes(bytes)
        }
        Ok(text) => text.parse().expect("RUNOUT_TEST_SEED is a number, or the word random"),
    };
    println!("RUNOUT_TEST_SEED={seed}");
    seed
}
