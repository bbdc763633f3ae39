//! The text of the config's files as one tree, in which every value knows its place.
//!
//! Invariant: the tree is complete or there is none: a file that is no TOML gives problems, never half a tree.
//! Invariant: files add up without one silently winning: tables merge, arrays of tables append, and everything else
//! that stands in two files is a problem that names both places.

mod duplicate;

use super::{
    problem::{Location, Problem},
    text::Text,
    work,
};
use std::{
    collections::{BTreeMap, HashSet, btree_map},
    ops::Range,
    path::PathBuf,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// So many errors of the TOML parser are kept of each file.
const MOST_PER_FILE: usize = 10_000;

/// Of so many keys that stand twice in a file it is told where they stand first: for each the file is read once more.
const MOST_DUPLICATES: usize = 10;
/// What the parser says of one.
const DUPLICATE: &str = "duplicate key";

/// One file of the config.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// As it is shown.
    pub(crate) path: PathBuf,
    /// All of it.
    pub(crate) text: Text,
}

/// Some bytes of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// Which file, by its number.
    pub(crate) file: usize,
    /// The first byte.
    pub(crate) start: usize,
    /// The byte after the last.
    pub(crate) end: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Of the value; of the header, where it is a table with one.
    pub(crate) place: Place,
    /// The value.
    pub(crate) value: Value,
}

/// What TOML can hold.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the words of the TOML specification")]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

/// Keys and their values.
pub(crate) type Table = BTreeMap<String, Entry>;

/// A key's place and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Where the key stands.
    pub(crate) key: Place,
    /// What it is set to.
    pub(crate) node: Node,
}

impl Place {
    fn new(file: usize, range: Range<usize>) -> Self {
        Self {
            file,
            start: range.start,
            end: range.end,
        }
    }

    /// By what places are sorted as people read.
    pub(crate) fn order(self) -> (usize, usize) {
        (self.file, self.start)
    }
}

/// Where a place is, for people.
pub(crate) fn locate(sources: &[Source], place: Place) -> Option<Location> {
    let source = sources.get(place.file)?;
    Some(Location::new(
        &source.path,
        &source.text,
        place.start..place.end,
    ))
}

/// Reads every file and joins them, in order.
pub(crate) fn parse(sources: &[Source]) -> Result<Table, Vec<(Place, Problem)>> {
    let mut problems = Vec::new();
    let mut whole = Table::new();
    let mut growing = HashSet::new();
    for (file, source) in sources.iter().enumerate() {
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        // A file that is no config at all has one in each line; no more are shown than the first ones.
        let mut duplicates = 0;
        problems.extend(errors.iter().take(MOST_PER_FILE).map(|error| {
            let range = error.span().unwrap_or(source.text.len()..source.text.len());
            let mut message = error.message().to_owned();
            if message.contains(DUPLICATE) && duplicates < MOST_DUPLICATES {
                duplicates += 1;
                let first = duplicate::first_of(file, &source.text, &range);
                message = first.map_or(message, |(name, place)| already_set(sources, &name, place));
            }
            let problem = Problem::error(message, advice(error.message()));
            (Place::new(file, range), problem)
        }));
        let mut reader = FileReader {
            file,
            problems: &mut problems,
        };
        let table = reader.table(table.into_inner());
        let mut joint = Joint {
            sources,
            growing: &mut growing,
            problems: &mut problems,
            path: Vec::new(),
        };
        joint.merge(&mut whole, table);
    }
    if problems.is_empty() {
        Ok(whole)
    } else {
        Err(problems)
    }
}

/// That a key is set before, and where.
fn already_set(sources: &[Source], name: &str, first: Place) -> String {
    let first = locate(sources, first).map(|at| at.to_string());
    format!("`{name}` is already set at {}", first.unwrap_or_default())
}

/// What to do about an error of the TOML parser.
fn advice(message: &str) -> &'static str {
    if message.contains(DUPLICATE) {
        "a key stands once in a table: remove one of the two"
    } else if message.contains("unquoted key") {
        "keys are made of a-z, A-Z, 0-9, - and _; any other stands in double quotes"
    } else if message.contains("string") {
        "write a value after the =; texts stand in double quotes: key = \"text\""
    } else {
        "the file must be TOML 1.0; see https://toml.io"
    }
}

/// Turns the parser's tree of one file into ours.
struct FileReader<'a> {
    file: usize,
    problems: &'a mut Vec<(Place, Problem)>,
}

impl FileReader<'_> {
    fn place(&self, range: Range<usize>) -> Place {
        Place::new(self.file, range)
    }

    fn table(&mut self, table: DeTable<'_>) -> Table {
        let entries = table.into_iter().map(|(key, value)| {
            let place = self.place(key.span());
            let node = self.node(value);
            (key.into_inner().into_owned(), Entry { key: place, node })
        });
        entries.collect()
    }

    fn node(&mut self, value: Spanned<DeValue<'_>>) -> Node {
        let range = value.span();
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Integer(number),
                    Err(_) => {
                        let problem = Problem::error(
                            format!("the number {number} is too large"),
                            "whole numbers are from -2^63 to 2^63 - 1",
                        );
                        let place = self.place(range.clone());
                        self.problems.push((place, problem));
                        Value::Integer(0)
                    }
                }
            }
            DeValue::Float(number) => {
                Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY))
            }
            DeValue::Boolean(boolean) => Value::Boolean(boolean),
            DeValue::Datetime(time) => Value::Datetime(time.to_string()),
            DeValue::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.node(item)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node {
            place: self.place(range),
            value,
        }
    }
}

/// Where the files are joined.
struct Joint<'a> {
    sources: &'a [Source],
    /// Arrays, by their first key, that something was appended to: all of their elements are tables, and to look at
    /// each of them again for every further file would cost the square of the files.
    growing: &'a mut HashSet<Place>,
    problems: &'a mut Vec<(Place, Problem)>,
    /// The keys above what is joined, from the top.
    path: Vec<String>,
}

impl Joint<'_> {
    fn merge(&mut self, into: &mut Table, from: Table) {
        for (key, entry) in from {
            let mut present = match into.entry(key) {
                btree_map::Entry::Vacant(slot) => {
                    slot.insert(entry);
                    continue;
                }
                btree_map::Entry::Occupied(present) => present,
            };
            let name = present.key().clone();
            let first = present.get_mut();
            let is_growing = self.growing.contains(&first.key);
            match (&mut first.node.value, entry.node.value) {
                (Value::Table(into), Value::Table(from)) => {
                    self.path.push(name);
                    self.merge(into, from);
                    self.path.pop();
                }
                (Value::Array(into), Value::Array(from))
                    if (is_growing || all_tables(into)) && all_tables(&from) =>
                {
                    into.extend(from);
                    self.growing.insert(first.key);
                }
                _ => {
                    let path = [self.path.as_slice(), &[name]].concat().join(".");
                    let problem = Problem::error(
                        already_set(self.sources, &path, first.key),
                        "remove one of the two; over several files, only tables and arrays of tables add up",
                    );
                    self.problems.push((entry.key, problem));
                }
            }
        }
    }
}

fn all_tables(items: &[Node]) -> bool {
    work::did(items.len());
    items
        .iter()
        .all(|item| matches!(item.value, Value::Table(_)))
}
