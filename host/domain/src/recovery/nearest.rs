//! How near a misspelt name is to one that is known.

/// How many letters have to be added, taken away or exchanged to make one word of the other.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let letters: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=letters.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut left = above + 1;
        let mut next = vec![left];
        for (place, same) in letters.iter().map(|known| *known == letter).enumerate() {
            let cost = |at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let exchanged = cost(place) + usize::from(!same);
            left = exchanged.min(left + 1).min(cost(place + 1) + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn each_letter_that_is_another_counts_once() {
        for (one, other, expected) in [
            ("", "", 0),
            ("down", "down", 0),
            ("dwn", "down", 1),
            ("downs", "down", 1),
            ("dawn", "down", 1),
            ("", "down", 4),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
