//! Tables that were laid one over another: of a key counts what a later one has.
//!
//! Invariant: of many small tables what came before is not written anew for each.

use super::table::{Aside, Record, Sorted, Table, laid_over};
use std::{cmp::Reverse, collections::BinaryHeap, io};

/// By how much a table is larger at least than the next one.
const GROWTH: u64 = 4;

/// Tables of which none has a key twice.
#[derive(Default)]
pub(super) struct Layers(Vec<Table>);

impl Layers {
    /// Lays a table over all others.
    pub(super) fn lay(&mut self, table: Table, aside: &Aside) -> io::Result<()> {
        let mut last = table;
        let mut most = last.len().saturating_mul(GROWTH);
        while let Some(before) = self.0.pop_if(|before| before.len() < most) {
            last = laid_over(&before, &last, aside)?;
            most = last.len().saturating_mul(GROWTH);
        }
        self.0.push(last);
        Ok(())
    }

    /// What counts of a key.
    pub(super) fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        for table in self.0.iter().rev() {
            let found = table.get(key)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What counts of each key, in order.
    pub(super) fn iter(&self) -> Merged<'_> {
        Merged {
            tables: self.0.iter().map(Table::iter).collect(),
            next: BinaryHeap::new(),
            has_begun: false,
        }
    }

    /// One table of what counts.
    pub(super) fn into_one(mut self, aside: &Aside) -> io::Result<Table> {
        let mut all = self.0.pop().unwrap_or_default();
        while let Some(before) = self.0.pop() {
            all = laid_over(&before, &all, aside)?;
        }
        Ok(all)
    }

    /// The lengths of the tables, the lowest first.
    #[cfg(test)]
    pub(super) fn lengths(&self) -> Vec<u64> {
        self.0.iter().map(Table::len).collect()
    }
}

/// A record with the number of its table between its key and its value: of one key the last table comes first.
type Next = Reverse<(Vec<u8>, Reverse<usize>, Vec<u8>)>;

/// What counts of each key, in order.
pub(super) struct Merged<'a> {
    tables: Vec<Sorted<'a>>,
    next: BinaryHeap<Next>,
    has_begun: bool,
}

impl Merged<'_> {
    fn step(&mut self, at: usize) -> io::Result<()> {
        let Some(table) = self.tables.get_mut(at) else {
            return Ok(());
        };
        if let Some(record) = table.next() {
            let (key, value) = record?;
            self.next.push(Reverse((key, Reverse(at), value)));
        }
        Ok(())
    }

    fn advance(&mut self) -> io::Result<Option<Record>> {
        if !self.has_begun {
            self.has_begun = true;
            for at in 0..self.tables.len() {
                self.step(at)?;
            }
        }
        let Some(Reverse((key, Reverse(at), value))) = self.next.pop() else {
            return Ok(None);
        };
        self.step(at)?;
        while let Some(Reverse((other, Reverse(below), _))) = self.next.peek()
            && *other == key
        {
            let below = *below;
            self.next.pop();
            self.step(below)?;
        }
        Ok(Some((key, value)))
    }
}

impl Iterator for Merged<'_> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::{table::Sorter, tests::aside};
    use std::collections::BTreeMap;

    #[test]
    fn what_was_laid_last_counts_and_few_tables_are_kept() {
        let state = tempfile::tempdir().unwrap();
        let aside = aside(state.path(), 1_000);
        let (mut layers, mut expected) = (Layers::default(), BTreeMap::new());
        for round in 0..200_u32 {
            let mut table = Sorter::new(&aside);
            for number in 0..20_u32 {
                let key = ((round * 7 + number) % 1_000).to_be_bytes();
                table.push(&key, &round.to_be_bytes());
                expected.insert(key.to_vec(), round.to_be_bytes().to_vec());
            }
            layers.lay(table.finish(), &aside).unwrap();
        }
        assert!(layers.lengths().len() < 8, "{:?}", layers.lengths());
        for (key, value) in &expected {
            assert_eq!(layers.get(key).unwrap().as_ref(), Some(value));
        }
        assert_eq!(layers.get(b"none").unwrap(), None);
        let expected: Vec<Record> = expected.into_iter().collect();
        let found: io::Result<Vec<Record>> = layers.iter().collect();
        assert_eq!(found.unwrap(), expected);
        let one = layers.into_one(&aside).unwrap();
        let found: io::Result<Vec<Record>> = one.iter().collect();
        assert_eq!(found.unwrap(), expected);
    }
}
