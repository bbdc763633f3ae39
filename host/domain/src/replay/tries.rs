//! How often a call is begun again: a guest that ends the daemon must not do so for ever.

/// So often in a row one call is begun again in vain after an end of the daemon; then a person is asked, for it may be what
/// ends it.
pub const MAX_REPLAYS: u32 = 3;

/// How often a call was begun again in a row, this time with it, of which so many are known; none where that would be once
/// too often. Where the last try got further than the one before, it was not in vain, nor what was before it.
pub fn next_try(replays: u32, got_further: bool) -> Option<u32> {
    let in_vain = match got_further {
        true => 0,
        false => replays,
    };
    (in_vain < MAX_REPLAYS).then_some(in_vain.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_begun_again_three_times_in_vain_and_as_often_as_it_gets_further() {
        for (replays, in_vain) in [
            (0, Some(1)),
            (1, Some(2)),
            (2, Some(3)),
            (3, None),
            (9, None),
        ] {
            assert_eq!(next_try(replays, false), in_vain, "after {replays}");
            assert_eq!(next_try(replays, true), Some(1), "after {replays}");
        }
    }
}
