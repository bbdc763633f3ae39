//! What the keys of a table say, to be compared and not to be shown.

use std::{any::Any, collections::BTreeMap, fmt::Display};

/// What a key says, to be compared and not to be shown.
pub(super) struct Says<'a> {
    value: &'a dyn Any,
    same: fn(&dyn Any, &dyn Any) -> bool,
    /// The key without which it is not there; where that one comes or goes, it alone is told.
    pub(super) part_of: Option<&'static str>,
}

impl Says<'_> {
    pub(super) fn is(&self, other: &Says<'_>) -> bool {
        (self.same)(self.value, other.value)
    }

    pub(super) fn is_told_beside(&self, other: &Keys<'_>) -> bool {
        self.part_of.is_none_or(|key| other.contains_key(key))
    }
}

pub(super) fn says<T: Any + PartialEq>(value: &T) -> Says<'_> {
    Says {
        value,
        same: is_same::<T>,
        part_of: None,
    }
}

fn is_same<T: Any + PartialEq>(one: &dyn Any, other: &dyn Any) -> bool {
    one.downcast_ref::<T>() == other.downcast_ref::<T>()
}

/// The keys of a table; the empty one is the table as a whole.
pub(super) type Keys<'a> = BTreeMap<String, Says<'a>>;

pub(super) fn keys<'a, const N: usize>(keys: [(&str, Says<'a>); N]) -> Keys<'a> {
    let keys = keys.into_iter();
    keys.map(|(key, says)| (key.to_owned(), says)).collect()
}

/// A table that is compared as a whole.
pub(super) fn whole<T: Any + PartialEq>(value: &T) -> Keys<'_> {
    keys([("", says(value))])
}

/// Tables by names of their own, each of which is compared as a whole.
pub(super) fn wholes<'a, N: Display, T: Any + PartialEq>(
    of: &str,
    tables: &'a BTreeMap<N, T>,
) -> impl Iterator<Item = (String, Keys<'a>)> {
    let named = tables.iter();
    named.map(move |(name, table)| (format!("{of}.{name}"), whole(table)))
}
