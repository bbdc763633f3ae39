//! What a misspelt word was meant to be.

/// The candidate that is so near that a slip of the finger explains it.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let distances = candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate));
    let (distance, candidate) = distances.min()?;
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

/// How many letters have to be added, removed or replaced (Levenshtein), letter case aside. The same letters in another
/// order are one slip.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    if one != other && sorted(&one) == sorted(&other) {
        return 1;
    }
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        let mut next = vec![left];
        for (candidate, up) in other.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(*candidate != letter);
            left = replaced.min(up + 1).min(left + 1);
            diagonal = *up;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
