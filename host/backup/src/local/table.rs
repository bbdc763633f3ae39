//! Records by key, of any number: what does not fit into a bound is set aside in sorted runs, in a file without a name beside the
//! backups, and is found there again by its key, or read in the order of the keys.
//!
//! Invariant: of any number of records only so many bytes are held, and for each block that is set aside its first key.
//! Invariant: nothing fails for want of room: what cannot be set aside, as on a full disk, is held.
//! Invariant: what is set aside are keys, metadata and hashes, as in an index; no content.
//!
//! Length: how records are set aside, found again and read in order is one format.

use super::files::{Layout, create_private, remove_file};
use crate::port::BackupStoreError;
use mainstay_domain::{id::BackupId, name::JobName};
use std::{
    cell::RefCell,
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    mem,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{self, AtomicU64},
    },
};

/// What one sorter holds, in bytes; what it needs for its work comes to twice that. In tests so little that most of them set
/// something aside.
const MOST_HELD: usize = if cfg!(test) { 2_000 } else { 4 << 20 };
/// A block that is set aside begins with the first record after so many bytes.
const BLOCK: u64 = 1 << 14;
/// Tells files apart that are made at once.
static FILES: AtomicU64 = AtomicU64::new(0);

/// A key and what is known by it.
pub(super) type Record = (Vec<u8>, Vec<u8>);

/// Where the work on a backup sets aside what it cannot hold.
#[derive(Clone)]
pub(super) struct Aside {
    layout: Layout,
    job: JobName,
    id: BackupId,
    most: usize,
}

impl Aside {
    /// Beside the backups of a job.
    pub(super) fn new(layout: &Layout, job: &JobName, id: &BackupId) -> Self {
        Self {
            layout: layout.clone(),
            job: job.clone(),
            id: id.clone(),
            most: MOST_HELD,
        }
    }

    /// With this in place of the bytes that are held.
    #[cfg(test)]
    pub(super) fn holding(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// How many bytes one who works with it may hold.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    fn file(&self) -> Result<File, BackupStoreError> {
        let number = FILES.fetch_add(1, atomic::Ordering::Relaxed);
        let what = format!("table-{number}");
        let path = self.layout.partial(&self.job, &self.id, &what);
        let file = create_private(&path)?;
        remove_file(&path)?;
        Ok(file)
    }

    /// Sets sorted records aside; where that cannot be they are held.
    fn run(&self, records: Records, spool: &mut Spool) -> Run {
        match self.write(&records, spool) {
            Ok(run) => run,
            Err(error) => {
                tracing::warn!(backup = %self.id, %error, "what does not fit is held in memory, for it cannot be set aside");
                Run::Held(records)
            }
        }
    }

    fn write(&self, records: &Records, spool: &mut Spool) -> io::Result<Run> {
        let file = match &spool.file {
            Some(file) => Arc::clone(file),
            None => {
                let made = self.file();
                Arc::new(made.map_err(|error| io::Error::other(error.to_string()))?)
            }
        };
        spool.file = Some(Arc::clone(&file));
        // What was written of a run that could not be written whole is written over.
        (&*file).seek(SeekFrom::Start(spool.end))?;
        let mut to = BufWriter::with_capacity(1 << 16, &*file);
        let (mut blocks, mut begun, mut at) = (Vec::<Block>::new(), 0, spool.end);
        for place in &records.places {
            let (key, value) = (records.key(place), records.value(place));
            if blocks.is_empty() || at - begun >= BLOCK {
                let first = key.into();
                blocks.push(Block { first, at });
                begun = at;
            }
            for length in [key.len(), value.len()] {
                let length = u32::try_from(length).map_err(io::Error::other)?;
                to.write_all(&length.to_le_bytes())?;
            }
            to.write_all(key)?;
            to.write_all(value)?;
            at += 8 + key.len() as u64 + value.len() as u64;
        }
        to.flush()?;
        drop(to);
        spool.end = at;
        let last = records.places.last().map(|place| records.key(place));
        let last = last.unwrap_or_default().into();
        Ok(Run::Written(Written {
            file,
            blocks,
            last,
            end: at,
            read: RefCell::default(),
        }))
    }
}

/// What of a file that was set aside could not be read.
pub(super) fn unreadable(error: io::Error) -> BackupStoreError {
    BackupStoreError::Unavailable(format!(
        "what was set aside for a while beside the backups cannot be read: {error}; look at the disk of the state directory"
    ))
}

/// The file of the runs of one table, one after another; it is made for the first.
#[derive(Default)]
struct Spool {
    file: Option<Arc<File>>,
    end: u64,
}

/// Records one after another, and where each is.
#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

struct Place {
    at: usize,
    key: usize,
    value: usize,
}

impl Place {
    fn key_in<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let end = self.at.saturating_add(self.key);
        bytes.get(self.at..end).unwrap_or_default()
    }
}

impl Records {
    fn push(&mut self, key: &[u8], value: &[u8]) {
        self.places.push(Place {
            at: self.bytes.len(),
            key: key.len(),
            value: value.len(),
        });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    fn key(&self, place: &Place) -> &[u8] {
        place.key_in(&self.bytes)
    }

    fn value(&self, place: &Place) -> &[u8] {
        let begin = place.at.saturating_add(place.key);
        let end = begin.saturating_add(place.value);
        self.bytes.get(begin..end).unwrap_or_default()
    }

    /// By key; of one key what came first is first.
    fn sort(&mut self) {
        let bytes = self.bytes.as_slice();
        self.places
            .sort_by(|a, b| a.key_in(bytes).cmp(b.key_in(bytes)));
    }

    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let found = self.places.binary_search_by(|it| self.key(it).cmp(key));
        let place = self.places.get(found.ok()?)?;
        Some(self.value(place))
    }

    fn held(&self) -> usize {
        self.bytes.len() + self.places.len() * size_of::<Place>()
    }
}

/// Some records, by key.
enum Run {
    Held(Records),
    Written(Written),
}

/// Records in a file, each with the lengths of its key and of its value before it (32 bits each, little endian).
struct Written {
    file: Arc<File>,
    blocks: Vec<Block>,
    /// The last key.
    last: Box<[u8]>,
    end: u64,
    read: RefCell<ReadBlock>,
}

struct Block {
    first: Box<[u8]>,
    at: u64,
}

/// The block that was read last.
#[derive(Default)]
struct ReadBlock {
    number: Option<usize>,
    bytes: Vec<u8>,
}

impl Written {
    fn read(&self, number: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let at = |number: usize| self.blocks.get(number).map_or(self.end, |block| block.at);
        let length = at(number + 1).saturating_sub(at(number));
        into.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        self.file.read_exact_at(into, at(number))
    }

    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let after = self.blocks.partition_point(|block| &*block.first <= key);
        let Some(number) = after.checked_sub(1).filter(|_| key <= &*self.last) else {
            return Ok(None);
        };
        let mut read = self.read.borrow_mut();
        let read = &mut *read;
        if read.number != Some(number) {
            read.number = None;
            self.read(number, &mut read.bytes)?;
            read.number = Some(number);
        }
        let mut at = 0;
        while let Some((found, value, next)) = record_at(&read.bytes, at) {
            match found.cmp(key) {
                Ordering::Less => at = next,
                Ordering::Equal => return Ok(Some(value.to_vec())),
                Ordering::Greater => break,
            }
        }
        Ok(None)
    }
}

/// A record in a block, and where the next one begins.
fn record_at(bytes: &[u8], at: usize) -> Option<(&[u8], &[u8], usize)> {
    let (key, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let length = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).ok();
    let (key, rest) = rest.split_at_checked(length(key)?)?;
    let (value, _) = rest.split_at_checked(length(value)?)?;
    Some((key, value, at + 8 + key.len() + value.len()))
}

/// Takes records in any order.
pub(super) struct Sorter {
    aside: Aside,
    records: Records,
    runs: Vec<Run>,
    spool: Spool,
    count: u64,
}

impl Sorter {
    pub(super) fn new(aside: &Aside) -> Self {
        Self {
            aside: aside.clone(),
            records: Records::default(),
            runs: Vec::new(),
            spool: Spool::default(),
            count: 0,
        }
    }

    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.records.push(key, value);
        self.count += 1;
        if self.records.held() >= self.aside.most {
            let mut records = mem::take(&mut self.records);
            records.sort();
            let run = self.aside.run(records, &mut self.spool);
            self.runs.push(run);
        }
    }

    /// How many records were taken.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    pub(super) fn finish(self) -> Table {
        let Self {
            mut records,
            mut runs,
            spool,
            count,
            ..
        } = self;
        if !records.places.is_empty() {
            records.sort();
            runs.push(Run::Held(records));
        }
        Table { runs, spool, count }
    }
}

/// Records by key.
#[derive(Default)]
pub(super) struct Table {
    runs: Vec<Run>,
    spool: Spool,
    count: u64,
}

impl Table {
    /// How many records there are.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// What is known by a key; what came last where it came in several runs.
    pub(super) fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        for run in self.runs.iter().rev() {
            let found = match run {
                Run::Held(records) => records.get(key).map(<[u8]>::to_vec),
                Run::Written(written) => written.get(key)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// All records in the order of their keys; of one key what came first is first.
    pub(super) fn iter(&self) -> Sorted<'_> {
        let cursors = self.runs.iter().map(Cursor::new).collect();
        Sorted {
            cursors,
            next: BinaryHeap::new(),
            has_begun: false,
        }
    }

    /// The first key that two records have.
    pub(super) fn twice(&self) -> io::Result<Option<Vec<u8>>> {
        let mut before: Option<Vec<u8>> = None;
        for record in self.iter() {
            let (key, _) = record?;
            if before.as_ref() == Some(&key) {
                return Ok(before);
            }
            before = Some(key);
        }
        Ok(None)
    }

    /// Takes up a run of records that come in the order of their keys.
    pub(super) fn add_run<'a>(
        &mut self,
        sorted: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        aside: &Aside,
    ) {
        let mut records = Records::default();
        sorted.for_each(|(key, value)| records.push(key, value));
        self.count += records.places.len() as u64;
        let run = aside.run(records, &mut self.spool);
        self.runs.push(run);
    }

    /// The bytes that are held of it.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let held = self.runs.iter().map(|run| match run {
            Run::Held(records) => records.held(),
            Run::Written(written) => {
                let first = written.blocks.iter().map(|block| block.first.len());
                let keys: usize = first.sum();
                let read = written.read.borrow().bytes.capacity();
                keys + written.blocks.len() * size_of::<Block>() + written.last.len() + read
            }
        });
        held.sum()
    }
}

/// A way through one run.
struct Cursor<'a> {
    run: &'a Run,
    /// The block after the one that is read.
    block: usize,
    /// Where the next record is, in the block or among the places.
    at: usize,
    bytes: Vec<u8>,
}

impl<'a> Cursor<'a> {
    fn new(run: &'a Run) -> Self {
        Self {
            run,
            block: 0,
            at: 0,
            bytes: Vec::new(),
        }
    }

    fn step(&mut self) -> io::Result<Option<Record>> {
        match self.run {
            Run::Held(records) => {
                let place = records.places.get(self.at);
                self.at += 1;
                Ok(place.map(|it| (records.key(it).to_vec(), records.value(it).to_vec())))
            }
            Run::Written(written) => loop {
                if let Some((key, value, next)) = record_at(&self.bytes, self.at) {
                    let record = (key.to_vec(), value.to_vec());
                    self.at = next;
                    return Ok(Some(record));
                }
                if self.block >= written.blocks.len() {
                    return Ok(None);
                }
                written.read(self.block, &mut self.bytes)?;
                (self.block, self.at) = (self.block + 1, 0);
            },
        }
    }
}

/// A record with the number of its run between its key and its value.
type Next = Reverse<(Vec<u8>, usize, Vec<u8>)>;

/// The records of a table in the order of their keys.
pub(super) struct Sorted<'a> {
    cursors: Vec<Cursor<'a>>,
    next: BinaryHeap<Next>,
    has_begun: bool,
}

impl Sorted<'_> {
    fn step(&mut self, run: usize) -> io::Result<()> {
        let Some(cursor) = self.cursors.get_mut(run) else {
            return Ok(());
        };
        if let Some((key, value)) = cursor.step()? {
            self.next.push(Reverse((key, run, value)));
        }
        Ok(())
    }
}

impl Iterator for Sorted<'_> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.has_begun {
            self.has_begun = true;
            for run in 0..self.cursors.len() {
                if let Err(error) = self.step(run) {
                    return Some(Err(error));
                }
            }
        }
        let Reverse((key, run, value)) = self.next.pop()?;
        match self.step(run) {
            Ok(()) => Some(Ok((key, value))),
            Err(error) => Some(Err(error)),
        }
    }
}

/// What two tables have by one key.
pub(super) struct Pair {
    pub(super) key: Vec<u8>,
    pub(super) left: Option<Vec<u8>>,
    pub(super) right: Option<Vec<u8>>,
}

/// Every key of two tables, in order. Neither has one twice.
pub(super) fn side_by_side(left: &Table, right: &Table) -> impl Iterator<Item = io::Result<Pair>> {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some(Ok((left, _))), Some(Ok((right, _)))) => left.cmp(right),
            // An error is handed on at once.
            (Some(Err(_)), _) | (_, None) => Ordering::Less,
            (_, Some(Err(_))) | (None, _) => Ordering::Greater,
        };
        let (mut from_left, mut from_right) = (None, None);
        if order.is_le() {
            from_left = left.next();
        }
        if order.is_ge() {
            from_right = right.next();
        }
        Some(pair(from_left.transpose(), from_right.transpose()))
    })
}

fn pair(left: io::Result<Option<Record>>, right: io::Result<Option<Record>>) -> io::Result<Pair> {
    let (left, right) = (left?, right?);
    let key = left.as_ref().or(right.as_ref()).map(|(key, _)| key.clone());
    Ok(Pair {
        key: key.unwrap_or_default(),
        left: left.map(|(_, value)| value),
        right: right.map(|(_, value)| value),
    })
}

/// What one table has, with what another has over it. Neither has a key twice.
pub(super) fn laid_over(below: &Table, over: &Table, aside: &Aside) -> io::Result<Table> {
    let mut all = Sorter::new(aside);
    for pair in side_by_side(below, over) {
        let Pair { key, left, right } = pair?;
        all.push(&key, &right.or(left).unwrap_or_default());
    }
    Ok(all.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::aside;
    use std::{collections::BTreeMap, fs};

    /// Each number once, in an order that is none.
    fn numbers(count: u32) -> impl Iterator<Item = u32> {
        (0..count).map(move |number| (number * 7_919) % count)
    }

    fn value(number: u32) -> Vec<u8> {
        format!("value {number}").into_bytes()
    }

    fn filled(aside: &Aside, count: u32) -> Table {
        let mut sorter = Sorter::new(aside);
        for number in numbers(count) {
            sorter.push(&number.to_be_bytes(), &value(number));
        }
        assert!(sorter.records.held() < 10_000);
        sorter.finish()
    }

    #[test]
    fn what_is_held_stays_bounded_and_everything_is_found_by_its_key_and_in_order() {
        let state = tempfile::tempdir().unwrap();
        let aside = aside(state.path(), 10_000);
        let (few, many) = (filled(&aside, 100), filled(&aside, 20_000));
        assert!(few.held() < 10_000);
        // What is held is a key for each block, and what came last.
        assert!(many.runs.len() > 40);
        assert!(many.held() < 10_000 + many.runs.len() * 100);
        for number in numbers(20_000) {
            let found = many.get(&number.to_be_bytes()).unwrap();
            assert_eq!(found, Some(value(number)));
        }
        assert_eq!(many.get(&20_000_u32.to_be_bytes()).unwrap(), None);
        assert_eq!(many.get(b"").unwrap(), None);
        let mut expected = 0_u32;
        for record in many.iter() {
            let (key, found) = record.unwrap();
            assert_eq!(key, expected.to_be_bytes());
            assert_eq!(found, value(expected));
            expected += 1;
        }
        assert_eq!((expected, many.len()), (20_000, 20_000));
        assert_eq!(many.twice().unwrap(), None);
        let names = fs::read_dir(aside.layout.job(&aside.job)).unwrap();
        assert_eq!(names.count(), 0, "what is set aside has no name");
    }

    #[test]
    fn what_cannot_be_set_aside_is_held() {
        let state = tempfile::tempdir().unwrap();
        let aside = aside(state.path(), 10_000);
        fs::remove_dir_all(aside.layout.job(&aside.job)).unwrap();
        let table = filled(&aside, 20_000);
        assert!(table.runs.iter().all(|run| matches!(run, Run::Held(_))));
        assert_eq!(table.get(&7_u32.to_be_bytes()).unwrap(), Some(value(7)));
        assert_eq!(table.iter().count(), 20_000);
    }

    #[test]
    fn a_key_that_is_there_twice_is_told_wherever_its_records_are() {
        let state = tempfile::tempdir().unwrap();
        let aside = aside(state.path(), 10_000);
        let mut sorter = Sorter::new(&aside);
        for number in numbers(2_000).chain([3]) {
            sorter.push(&number.to_be_bytes(), b"some");
        }
        let table = sorter.finish();
        assert_eq!(table.twice().unwrap(), Some(3_u32.to_be_bytes().to_vec()));
    }

    #[test]
    fn two_tables_are_told_side_by_side() {
        let state = tempfile::tempdir().unwrap();
        let aside = aside(state.path(), 10_000);
        let (mut evens, mut threes) = (Sorter::new(&aside), Sorter::new(&aside));
        let mut expected = BTreeMap::new();
        for number in numbers(2_000) {
            let (is_even, is_three) = (number % 2 == 0, number % 3 == 0);
            if is_even {
                evens.push(&number.to_be_bytes(), b"even");
            }
            if is_three {
                threes.push(&number.to_be_bytes(), b"three");
            }
            if is_even || is_three {
                let pair = (is_even, is_three);
                expected.insert(number.to_be_bytes().to_vec(), pair);
            }
        }
        let (evens, threes) = (evens.finish(), threes.finish());
        let found: Vec<_> = side_by_side(&evens, &threes)
            .map(|pair| {
                let Pair { key, left, right } = pair.unwrap();
                (key, (left.is_some(), right.is_some()))
            })
            .collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}
