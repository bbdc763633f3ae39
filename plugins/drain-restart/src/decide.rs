//! How long is waited for a service to become empty; plain Rust, without the host.

/// From the pause to a tenth more, so that not all restart at one time; milliseconds.
pub fn wait_ms(pause_ms: u64, random: u64) -> u64 {
    let tenth = pause_ms / 10;
    pause_ms.saturating_add(random % tenth.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_the_pause_and_at_most_a_tenth_more() {
        for random in [0, 7, 101, u64::MAX] {
            assert!(
                (1_000..=1_100).contains(&wait_ms(1_000, random)),
                "{random}"
            );
            assert_eq!(wait_ms(0, random), 0);
        }
        assert_eq!(wait_ms(u64::MAX, 1), u64::MAX);
    }
}
