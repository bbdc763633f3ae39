//! A write-ahead log that SQLite does not take any more, read page by page for a salvage.
//!
//! SQLite goes through a log until the first frame that is not as it should be, and forgets what follows. Here each
//! frame is held against the one before it alone, so that one which is damaged does not hide those after it.
//! The format is that of <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::collections::BTreeMap;

/// Bytes of a page in the journal: SQLite's default, which was never changed.
pub(super) const PAGE: usize = 4_096;
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The last bit of the magic number: sums are over big-endian words.
const BIG_ENDIAN: u32 = 1;

/// What a log writes into the database.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pages {
    /// The newest content of each page; pages count from 1.
    pub(super) pages: BTreeMap<u32, Vec<u8>>,
    /// Pages of the database after the last commit; 0 where there is no commit.
    pub(super) size: u32,
    /// Commits in the log.
    pub(super) commits: u64,
    /// Frames among them that are not what was written: the number of such a page, or what it held, is lost.
    pub(super) damaged: u64,
}

/// The pages of every frame up to the last whole commit, damaged ones included: rows have sums of their own.
pub(super) fn pages(log: &[u8]) -> Pages {
    let mut found = Pages::default();
    let Some((header, frames)) = log.split_at_checked(HEADER) else {
        return found;
    };
    let frames: Vec<&[u8]> = frames.chunks_exact(FRAME_HEADER + PAGE).collect();
    let salts = |index: usize| frames.get(index).and_then(|frame| frame.get(8..16));
    // Said three times, of which one may be damaged.
    let says = [header.get(16..24), salts(0), salts(1)];
    let salt = match says[1] == says[2] {
        true => says[1],
        false => says[0],
    };
    // Frames of an earlier round of the log lie behind those of this one.
    let is_current = |index: usize| salts(index) == salt || salts(index + 1) == salt;
    // The header says it, and may be what is damaged; the second frame shows it.
    let is_big_endian = match frames.get(..2) {
        Some([first, second]) => follows(second, stored_sum(first), true),
        _ => word(header, 0) & BIG_ENDIAN != 0,
    };
    let mut chain = Chain::from(header, is_big_endian);
    let mut committed = 0;
    let mut pending = BTreeMap::new();
    for (index, frame) in frames.iter().enumerate() {
        if !is_current(index) {
            break;
        }
        let is_right = chain.push(frame);
        let content = frame.get(FRAME_HEADER..).unwrap_or_default();
        pending.insert(word(frame, 0), content.to_vec());
        let size = word(frame, 4);
        // The last frame may be one that was being written. Another that fits follows one that was written.
        let is_followed = salts(index + 1) == salt;
        if size > 0 && (is_right || is_followed) {
            found.pages.append(&mut pending);
            found.size = size;
            found.commits += 1;
            committed = chain.is_right.len();
        }
    }
    let of_commits = chain.is_right.iter().take(committed);
    found.damaged = of_commits.fold(0, |damaged, right| damaged + u64::from(!right));
    found
        .pages
        .retain(|page, _| (1..=found.size).contains(page));
    found
}

/// The frames of a log, each held against the one before it.
struct Chain {
    is_big_endian: bool,
    /// The sum that the one before carries, and the one that its bytes have. Where they differ one of them is right.
    before: [(u32, u32); 2],
    /// Of each frame, whether it is what was written.
    is_right: Vec<bool>,
}

impl Chain {
    fn from(header: &[u8], is_big_endian: bool) -> Self {
        let summed = header.get(..24).unwrap_or_default();
        Self {
            is_big_endian,
            before: [
                (word(header, 24), word(header, 28)),
                sum(summed, (0, 0), is_big_endian),
            ],
            is_right: Vec::new(),
        }
    }

    /// Whether it is what was written after one before it.
    fn push(&mut self, frame: &[u8]) -> bool {
        let stored = stored_sum(frame);
        let [after_stored, after_found] = self
            .before
            .map(|before| sum_after(frame, before, self.is_big_endian));
        if after_found == stored
            && let Some(before) = self.is_right.last_mut()
        {
            // Only the sum that it carries was damaged.
            *before = true;
        }
        let is_right = stored == after_stored || stored == after_found;
        self.before = [stored, after_stored];
        self.is_right.push(is_right);
        is_right
    }
}

/// The sum that a frame carries.
fn stored_sum(frame: &[u8]) -> (u32, u32) {
    (word(frame, 16), word(frame, 20))
}

/// Whether a frame is what was written after one with this sum.
fn follows(frame: &[u8], before: (u32, u32), is_big_endian: bool) -> bool {
    sum_after(frame, before, is_big_endian) == stored_sum(frame)
}

/// The sum of a frame that is written after one with this sum.
fn sum_after(frame: &[u8], before: (u32, u32), is_big_endian: bool) -> (u32, u32) {
    let part = |range| frame.get(range).unwrap_or_default();
    let seed = sum(part(0..8), before, is_big_endian);
    sum(part(FRAME_HEADER..FRAME_HEADER + PAGE), seed, is_big_endian)
}

/// Four bytes at an offset, big-endian; 0 where there are none.
fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_be_bytes)
}

/// The checksum of a log, which goes on from that of what is before.
fn sum(bytes: &[u8], seed: (u32, u32), is_big_endian: bool) -> (u32, u32) {
    let read = |four: &[u8]| {
        let four = four.try_into().unwrap_or_default();
        match is_big_endian {
            true => u32::from_be_bytes(four),
            false => u32::from_le_bytes(four),
        }
    };
    let (mut a, mut b) = seed;
    let mut words = bytes.chunks_exact(4).map(read);
    while let (Some(one), Some(two)) = (words.next(), words.next()) {
        a = a.wrapping_add(one).wrapping_add(b);
        b = b.wrapping_add(two).wrapping_add(a);
    }
    (a, b)
}
