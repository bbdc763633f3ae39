//! Where a key that stands twice in a table stands first, which the TOML parser does not say.

use super::{FileReader, Node, Place, Table, Value};
use std::ops::Range;
use toml::de::DeTable;

/// The name of the key in this range, and where it stands first: under another name the second would be beside it.
pub(super) fn first_of(file: usize, text: &str, range: &Range<usize>) -> Option<(String, Place)> {
    let name = text.get(range.clone())?.trim_matches(['"', '\'']);
    let runs = text.split(|letter: char| letter != '_').map(str::len);
    let other = "_".repeat(runs.max()? + 1);
    let (before, after) = (text.get(..range.start)?, text.get(range.end..)?);
    let renamed = [before, other.as_str(), after].concat();
    let (table, _) = DeTable::parse_recoverable(&renamed);
    let mut reader = FileReader {
        file,
        problems: &mut Vec::new(),
    };
    let table = reader.table(table.into_inner());
    let first = holding(&table, &other)?.get(name)?.key;
    (first.start < range.start).then(|| (name.to_owned(), first))
}

/// The table that has this key.
fn holding<'a>(table: &'a Table, key: &str) -> Option<&'a Table> {
    match table.contains_key(key) {
        true => Some(table),
        false => table.values().find_map(|entry| below(&entry.node, key)),
    }
}

fn below<'a>(node: &'a Node, key: &str) -> Option<&'a Table> {
    match &node.value {
        Value::Table(table) => holding(table, key),
        Value::Array(items) => items.iter().find_map(|item| below(item, key)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice_is_told_with_where_it_stands_first() {
        for (text, second, name, first) in [
            ("a = 1\nb = 2\na = 3\n", 12, "a", Some(0)),
            // Neither the name of another table nor that of one within it is meant.
            (
                "[host]\n[smtp.ops]\nhost = \"x\"\n[host]\n",
                30,
                "host",
                Some(1),
            ),
            (
                "[[t]]\nname = 1\n[[t]]\nname = 2\nc = { name = 3 }\nname = 4\n",
                47,
                "name",
                Some(21),
            ),
            ("t = { key = 1, __ = 2, key = 3 }\n", 23, "key", Some(6)),
            ("\"a\" = 1\na = 2\n", 8, "a", Some(0)),
            ("a = 1\nb = 2\n", 6, "b", None),
        ] {
            let range = second..second + name.len();
            assert_eq!(&text[range.clone()], name, "{text}");
            let found = first_of(0, text, &range);
            let expected = first.map(|first| (name.to_owned(), first));
            let found = found.map(|(name, place)| (name, place.start));
            assert_eq!(found, expected, "{text}");
        }
    }
}
