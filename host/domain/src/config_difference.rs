//! What one config says otherwise than the one before, by the names of its tables and keys.
//!
//! Invariant: names alone, and never what a key says.

use crate::text::{counted, list};

/// So many names a sentence has.
const NAMED: usize = 8;

/// What a config says otherwise than the one before: `target.web` is a table, `target.web.rto` a key of it. Sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigDifference {
    /// What the one before did not have.
    pub added: Vec<String>,
    /// What it had, and says otherwise.
    pub changed: Vec<String>,
    /// What it had.
    pub removed: Vec<String>,
}

impl ConfigDifference {
    /// How many names it has.
    pub fn len(&self) -> usize {
        self.added.len() + self.changed.len() + self.removed.len()
    }

    /// Whether both say the same.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// At most so many names of it, what was added first, then what changed; and how many more there are.
    #[must_use]
    pub fn beginning(mut self, most: usize) -> (Self, usize) {
        let all = self.len();
        let mut room = most;
        for names in [&mut self.added, &mut self.changed, &mut self.removed] {
            names.truncate(room);
            room -= names.len();
        }
        let left = all - self.len();
        (self, left)
    }

    /// For people: `added target.db; changed route, target.web.rto`, with the first few names; nothing where both say the
    /// same.
    pub fn sentence(&self) -> String {
        let (shown, more) = self.clone().beginning(NAMED);
        let parts = [
            ("added", shown.added),
            ("changed", shown.changed),
            ("removed", shown.removed),
        ];
        let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
        let mut parts: Vec<String> = parts
            .map(|(what, names)| format!("{what} {}", list(names, "nothing")))
            .collect();
        if more > 0 {
            parts.push(format!("and {}", counted(more, "other")));
        }
        parts.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_first_are_named_and_the_others_counted() {
        let names = |of: &str, count: u32| {
            (0..count)
                .map(|number| format!("{of}.{number:02}"))
                .collect()
        };
        let difference = ConfigDifference {
            added: names("job", 6),
            changed: names("target", 20),
            removed: names("tier", 1),
        };
        let sentence = difference.sentence();
        let named =
            "added job.00, job.01, job.02, job.03, job.04, job.05; changed target.00, target.01";
        assert_eq!(sentence, format!("{named}; and 19 others"));
        let (named, others) = difference.beginning(26);
        assert_eq!(
            (named.changed.len(), named.removed.len(), others),
            (20, 0, 1)
        );
    }

    #[test]
    fn where_both_say_the_same_there_is_nothing_to_say() {
        let difference = ConfigDifference::default();
        assert!(difference.is_empty());
        assert_eq!(difference.sentence(), "");
    }
}
