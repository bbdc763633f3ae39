//! Long campaigns: a count and a seed. The tests run them with a small count and a fresh seed, which they print; the
//! programs in `examples/` run them with any.

mod alerts;
mod api;
mod budget;
mod config;
mod crash;
mod damage;
mod durable;
mod full_disk;
mod recovery;
mod rehearsal;
mod soak;
mod state;
mod swap;
mod taint;

pub use alerts::{AlertsReport, alerts};
pub use api::{ApiReport, api};
pub use budget::{BudgetReport, budget, budget_day};
pub use config::{ConfigReport, config};
pub use crash::crash;
pub use damage::{DamageReport, damage};
pub use durable::{DurableGuest, DurableReport, durable};
pub use full_disk::full_disk;
pub use recovery::{RecoveryReport, recovery};
pub use rehearsal::{RehearsalReport, rehearsal};
pub use soak::{SoakOptions, WallClock, soak};
pub use state::{StateReport, state};
pub use swap::{Nothing, SwapReport, answer_of, recover_request, swap};
pub use taint::{TaintReport, taint};

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed gives the same campaign.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers that follow from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// An index into so many things, of which there is at least one.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap())).unwrap()
    }

    /// One of some.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// A seed that was not there before, printed so that what it finds can be found again.
pub fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let seed = u64::try_from(now.as_nanos() % u128::from(u64::MAX)).unwrap();
    println!("seed {seed}");
    seed
}

/// Count and seed from the command line, with a default count and a fresh seed.
pub fn arguments(default_count: u32) -> (u32, u64) {
    let mut given = std::env::args().skip(1);
    let count = given.next().map_or(default_count, |text| {
        text.parse().expect("the count is a number")
    });
    let seed = given.next().map_or_else(fresh_seed, |text| {
        text.parse().expect("the seed is a number")
    });
    (count, seed)
}

/// Removes whatever is there.
fn clear(path: &std::path::Path) {
    use std::fs;
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}
