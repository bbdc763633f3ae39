//! How long to wait after so many failed attempts; plain Rust, without the host.

/// The unit times 1, 1, 2, 3, 5, …, and never longer than the longest; milliseconds.
pub fn wait_ms(failed: u32, unit_ms: u64, longest_ms: u64) -> u64 {
    let (mut factor, mut next) = (1_u64, 1_u64);
    for _ in 1..failed {
        (factor, next) = (next, factor.saturating_add(next));
        if unit_ms.saturating_mul(factor) >= longest_ms {
            return longest_ms;
        }
        if factor == u64::MAX {
            break;
        }
    }
    unit_ms.saturating_mul(factor).min(longest_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_are_the_fibonacci_numbers_up_to_the_longest() {
        let waits: Vec<u64> = (1..=8).map(|failed| wait_ms(failed, 10, 100)).collect();
        assert_eq!(waits, [10, 10, 20, 30, 50, 80, 100, 100]);
    }

    #[test]
    fn no_number_of_attempts_overflows_or_takes_long() {
        for failed in [0, 1, 100, u32::MAX] {
            assert!(wait_ms(failed, 1, u64::MAX) >= 1);
            assert_eq!(wait_ms(failed, u64::MAX, 60_000), 60_000);
        }
        assert_eq!(wait_ms(u32::MAX, 0, 60_000), 0);
    }
}
