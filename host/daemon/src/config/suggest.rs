//! What a misspelt word was meant to be.
//!
//! Invariant: a candidate is compared no further than until it cannot be the nearest.

use super::work;

/// The candidate that is so near that a slip of the finger explains it.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut misspelt = Misspelt::new(word);
    // A candidate that is further away is never suggested, however long it is.
    let mut most = (misspelt.letters.len() / 2).max(1);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        if let Some(distance) = misspelt.distance_within(candidate, most) {
            let found = (distance, candidate);
            best = Some(best.map_or(found, |best| best.min(found)));
            most = distance;
        }
    }
    let (distance, candidate) = best?;
    let allowed = (word.chars().count().max(candidate.chars().count()) / 3).max(1);
    (distance <= allowed).then_some(candidate)
}

/// What may be written instead, each word between the given marks.
pub(crate) fn allowed<'a>(
    words: impl IntoIterator<Item = &'a str, IntoIter: ExactSizeIterator>,
    mark: char,
) -> String {
    let words = words.into_iter();
    let verb = if words.len() == 1 { "is" } else { "are" };
    format!("allowed {verb} {}", listed(words, mark))
}

/// Texts as people list them: `"a", "b" and "c"`, each between the given marks.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>, mark: char) -> String {
    let mut words: Vec<String> = words
        .into_iter()
        .map(|word| format!("{mark}{word}{mark}"))
        .collect();
    match words.pop() {
        None => String::new(),
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} and {last}", words.join(", ")),
    }
}

/// A word that many others are compared with.
struct Misspelt {
    /// In lower case.
    letters: Vec<char>,
    /// Those of the other word; kept for its room.
    others: Vec<char>,
    /// As above.
    row: Vec<usize>,
}

impl Misspelt {
    fn new(word: &str) -> Self {
        Self {
            letters: word.to_lowercase().chars().collect(),
            others: Vec::new(),
            row: Vec::new(),
        }
    }

    /// How many letters have to be added, removed or replaced (Levenshtein), letter case aside; `None` for more than
    /// `most`. The same letters in another order are one slip.
    fn distance_within(&mut self, other: &str, most: usize) -> Option<usize> {
        work::did(1);
        self.others.clear();
        if other.is_ascii() {
            if other.len().abs_diff(self.letters.len()) > most {
                return None;
            }
            let lower = other
                .bytes()
                .map(|byte| char::from(byte.to_ascii_lowercase()));
            self.others.extend(lower);
        } else {
            self.others.extend(other.to_lowercase().chars());
        }
        let (one, other) = without_common(&self.letters, &self.others);
        let distance = match (one.is_empty(), other.is_empty()) {
            (true, _) => other.len(),
            (_, true) => one.len(),
            _ if one.len() == other.len() && sorted(one) == sorted(other) => 1,
            _ => return edits_within(one, other, most, &mut self.row),
        };
        (distance <= most).then_some(distance)
    }
}

/// Without what both begin and end with: it changes nothing about their distance.
fn without_common<'a>(mut one: &'a [char], mut other: &'a [char]) -> (&'a [char], &'a [char]) {
    while let ([first, one_rest @ ..], [second, other_rest @ ..]) = (one, other)
        && first == second
    {
        (one, other) = (one_rest, other_rest);
    }
    while let ([one_rest @ .., first], [other_rest @ .., second]) = (one, other)
        && first == second
    {
        (one, other) = (one_rest, other_rest);
    }
    (one, other)
}

fn sorted(letters: &[char]) -> Vec<char> {
    let mut letters = letters.to_vec();
    letters.sort_unstable();
    letters
}

/// The distance; gives up as soon as it must be more than `most`.
fn edits_within(one: &[char], other: &[char], most: usize, row: &mut Vec<usize>) -> Option<usize> {
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    row.clear();
    row.extend(0..=other.len());
    for (above, letter) in one.iter().enumerate() {
        work::did(other.len());
        let mut diagonal = above;
        let mut left = above + 1;
        let mut least = left;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (candidate, cell) in other.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(candidate != letter);
            left = replaced.min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = left;
            least = least.min(left);
        }
        if least > most {
            return None;
        }
    }
    row.last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn distance(one: &str, other: &str) -> usize {
        let found = Misspelt::new(one).distance_within(other, usize::MAX);
        found.unwrap()
    }

    /// By the whole distance to every candidate.
    fn nearest_of_all<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
        let distances = candidates
            .iter()
            .map(|other| (distance(word, other), *other));
        let (distance, candidate) = distances.min()?;
        let allowed = (word.chars().count().max(candidate.chars().count()) / 3).max(1);
        (distance <= allowed).then_some(candidate)
    }

    #[test]
    fn the_nearest_word_is_suggested_and_a_far_one_is_not() {
        let keys = ["name", "priority", "depends_on", "run"];
        assert_eq!(nearest("prioritty", keys), Some("priority"));
        assert_eq!(nearest("depend_on", keys), Some("depends_on"));
        assert_eq!(nearest("Name", keys), Some("name"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("", keys), None);
    }

    #[test]
    fn the_distance_counts_edits() {
        for (one, other, edits) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("nmae", "name", 1),
            ("a-nmae-b", "a-name-b", 1),
            ("Ärger", "ärgern", 1),
        ] {
            assert_eq!(distance(one, other), edits, "{one} → {other}");
        }
    }

    #[test]
    fn words_are_listed_as_people_do() {
        assert_eq!(listed(["a", "b", "c"], '`'), "`a`, `b` and `c`");
        assert_eq!(listed(["a"], '"'), "\"a\"");
        assert_eq!(listed([], '"'), "");
    }

    #[test]
    fn candidates_of_quite_another_length_are_not_compared() {
        let names: Vec<String> = (0..20_000).map(|n| format!("redis-of-shop-{n}")).collect();
        let names = names.iter().map(String::as_str).chain(["web-1"]);
        let (found, steps) = work::steps_of(|| nearest("wbe-1", names));
        assert_eq!(found, Some("web-1"));
        assert!(steps < 20_010, "{steps}");
    }

    proptest! {
        #[test]
        fn the_nearest_is_the_nearest_of_all(
            word in "[abAé]{0,6}",
            candidates in proptest::collection::vec("[abAé]{0,9}", 0..8),
        ) {
            let candidates: Vec<&str> = candidates.iter().map(String::as_str).collect();
            let found = nearest(&word, candidates.iter().copied());
            prop_assert_eq!(found, nearest_of_all(&word, &candidates));
        }
    }
}
