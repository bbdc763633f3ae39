//! The BLAKE3 hash of content that comes in pieces, in any order.
//!
//! BLAKE3 is a tree over chunks of 1024 bytes (section 2.1 of its paper): a subtree of whole chunks is known by its chaining
//! value wherever it lies, but for the first chunk of the content and what is made of it, which may be the root. So of what lies
//! without a gap the chaining values of its subtrees are kept, and the bytes at both ends that make no whole chunk.
//!
//! Invariant: what is kept grows with the number of gaps and not with the length of the content.

use blake3::{
    CHUNK_LEN, Hasher,
    hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root},
};
use mainstay_domain::archive::ContentHash;
use std::{collections::BTreeMap, iter::Peekable, slice::Iter};

const CHUNK: u64 = CHUNK_LEN as u64;

/// Content of which some is there.
#[derive(Debug, Default)]
pub(super) struct Scattered {
    /// By where each begins.
    runs: BTreeMap<u64, Run>,
    /// Something came twice, or lies where no content can.
    is_wrong: bool,
}

/// What lies without a gap.
#[derive(Debug)]
struct Run {
    end: u64,
    /// What comes before the first whole chunk: of what begins with the content its first chunk.
    head: Vec<u8>,
    /// The whole chunks, in as few subtrees as can be.
    trees: Vec<Tree>,
    /// What comes after them.
    tail: Vec<u8>,
}

/// Of `1 << level` chunks, of which `chunk` is the first; it is a multiple of so many, and not 0.
#[derive(Debug, Clone, Copy)]
struct Tree {
    chunk: u64,
    level: u32,
    value: ChainingValue,
}

impl Scattered {
    /// Some of the content, with so many bytes of it before.
    pub(super) fn add(&mut self, at: u64, bytes: &[u8]) {
        self.is_wrong |= at.checked_add(bytes.len() as u64 + CHUNK).is_none();
        if self.is_wrong || bytes.is_empty() {
            return;
        }
        let mut run = Run::of(at, bytes);
        let mut begins = at;
        let before = self.runs.range(..=at).next_back();
        let before = before.map(|(begins, before)| (*begins, before.end));
        let after = self.runs.range(at..).next().map(|(begins, _)| *begins);
        self.is_wrong |= before.is_some_and(|(_, end)| end > at);
        self.is_wrong |= after.is_some_and(|after| after < run.end);
        if self.is_wrong {
            return;
        }
        if let Some((start, end)) = before
            && end == at
            && let Some(mut before) = self.runs.remove(&start)
        {
            before.append(start, run);
            (begins, run) = (start, before);
        }
        if after == Some(run.end)
            && let Some(after) = self.runs.remove(&run.end)
        {
            run.append(begins, after);
        }
        self.runs.insert(begins, run);
    }

    /// How long what is there is, where it begins with the content and has no gap.
    pub(super) fn length(&self) -> Option<u64> {
        let mut runs = self.runs.iter();
        match (runs.next(), runs.next(), self.is_wrong) {
            (Some((0, run)), None, false) => Some(run.end),
            _ => None,
        }
    }

    /// The hash of all of it; none where it has a gap, or something of it is wrong.
    pub(super) fn hash(&self) -> Option<ContentHash> {
        let mut runs = self.runs.iter();
        let (Some((0, run)), None, false) = (runs.next(), runs.next(), self.is_wrong) else {
            return None;
        };
        run.root().map(ContentHash::from)
    }
}

impl Run {
    fn of(at: u64, bytes: &[u8]) -> Self {
        let (length, first) = (bytes.len() as u64, first_chunk(at));
        let until = usize::try_from(first.saturating_sub(at)).unwrap_or(usize::MAX);
        let (head, mut rest) = bytes.split_at(until.min(bytes.len()));
        let (mut trees, mut chunk) = (Vec::new(), first / CHUNK);
        while let Some(most) = (rest.len() / CHUNK_LEN).checked_ilog2() {
            let level = most.min(chunk.trailing_zeros());
            let (inside, after) = rest.split_at(CHUNK_LEN << level);
            let value = value_of(chunk, inside);
            push(
                &mut trees,
                Tree {
                    chunk,
                    level,
                    value,
                },
            );
            chunk += 1_u64 << level;
            rest = after;
        }
        Self {
            end: at.saturating_add(length),
            head: head.to_vec(),
            trees,
            tail: rest.to_vec(),
        }
    }

    /// What comes right after this one, which begins at `start`.
    fn append(&mut self, start: u64, next: Self) {
        let Self {
            end,
            head,
            trees,
            tail,
        } = next;
        let has_chunks = self.end > first_chunk(start);
        self.end = end;
        if !has_chunks {
            // They share the chunk that no tree has.
            self.head.extend(head);
            (self.trees, self.tail) = (trees, tail);
            return;
        }
        self.tail.extend(head);
        if self.tail.len() == CHUNK_LEN {
            let chunk = self
                .trees
                .last()
                .map_or(first_chunk(start) / CHUNK, |last| {
                    last.chunk + (1_u64 << last.level)
                });
            let value = value_of(chunk, &self.tail);
            push(
                &mut self.trees,
                Tree {
                    chunk,
                    level: 0,
                    value,
                },
            );
            self.tail.clear();
        }
        for tree in trees {
            push(&mut self.trees, tree);
        }
        self.tail.extend(tail);
    }

    /// The hash of content that this is all of.
    fn root(&self) -> Option<blake3::Hash> {
        if self.end <= CHUNK {
            return Some(blake3::hash(&self.head));
        }
        let mut trees = Vec::with_capacity(self.trees.len() + 2);
        trees.push(Tree {
            chunk: 0,
            level: 0,
            value: Hasher::new().update(&self.head).finalize_non_root(),
        });
        trees.extend(&self.trees);
        if !self.tail.is_empty() {
            let chunk = self.end / CHUNK;
            trees.push(Tree {
                chunk,
                level: 0,
                value: value_of(chunk, &self.tail),
            });
        }
        let chunks = self.end.div_ceil(CHUNK);
        let left = left_of(chunks);
        let mut trees = trees.iter().peekable();
        let (left, right) = (
            subtree(&mut trees, left)?,
            subtree(&mut trees, chunks - left)?,
        );
        Some(merge_subtrees_root(&left, &right, Mode::Hash))
    }
}

/// Where the first chunk begins of which a tree is made, for what begins here.
fn first_chunk(at: u64) -> u64 {
    at.next_multiple_of(CHUNK).max(CHUNK)
}

fn value_of(chunk: u64, bytes: &[u8]) -> ChainingValue {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(chunk * CHUNK);
    hasher.update(bytes).finalize_non_root()
}

/// Adds the tree that comes next, and makes one of each two that are the halves of one.
fn push(trees: &mut Vec<Tree>, mut next: Tree) {
    while let Some(last) = trees.last()
        && last.level == next.level
        && last.chunk.trailing_zeros() > last.level
    {
        next = Tree {
            chunk: last.chunk,
            level: last.level + 1,
            value: merge_subtrees_non_root(&last.value, &next.value, Mode::Hash),
        };
        trees.pop();
    }
    trees.push(next);
}

/// So many of the chunks of a tree are in its left half.
fn left_of(chunks: u64) -> u64 {
    chunks.div_ceil(2).next_power_of_two()
}

/// The chaining value of the next so many chunks.
fn subtree(trees: &mut Peekable<Iter<'_, Tree>>, chunks: u64) -> Option<ChainingValue> {
    if let Some(tree) = trees.next_if(|tree| 1_u64 << tree.level == chunks) {
        return Some(tree.value);
    }
    if chunks < 2 {
        return None;
    }
    let left = left_of(chunks);
    let (left, right) = (subtree(trees, left)?, subtree(trees, chunks - left)?);
    Some(merge_subtrees_non_root(&left, &right, Mode::Hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(length: usize) -> Vec<u8> {
        let mut content = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut content);
        content
    }

    #[test]
    fn content_of_any_length_in_one_piece_or_in_its_bytes_has_its_hash() {
        for length in (1..40).chain(1020..1030).chain([
            2047, 2048, 2049, 3072, 4096, 4097, 8192, 9_000, 16_384, 65_536, 65_537,
        ]) {
            let content = content(length);
            let expected = Some(ContentHash::of(&content));
            let mut whole = Scattered::default();
            whole.add(0, &content);
            assert_eq!(whole.hash(), expected, "{length}");
            let mut backwards = Scattered::default();
            for (at, byte) in content.iter().enumerate().rev() {
                backwards.add(at as u64, &[*byte]);
            }
            assert_eq!(backwards.hash(), expected, "{length}");
        }
    }

    #[test]
    fn what_has_a_gap_or_came_twice_has_no_hash() {
        let content = content(5_000);
        let mut scattered = Scattered::default();
        assert_eq!(scattered.hash(), None);
        scattered.add(2_000, &content[2_000..]);
        assert_eq!((scattered.hash(), scattered.length()), (None, None));
        scattered.add(0, &content[..1_999]);
        assert_eq!(scattered.hash(), None);
        scattered.add(1_999, &content[1_999..2_000]);
        assert_eq!(scattered.hash(), Some(ContentHash::of(&content)));
        assert_eq!(scattered.length(), Some(5_000));
        for at in [0, 10, 4_999] {
            let mut twice = Scattered::default();
            twice.add(0, &content);
            twice.add(at, b"x");
            assert_eq!(twice.hash(), None, "{at}");
        }
        let mut far = Scattered::default();
        far.add(0, b"x");
        far.add(u64::MAX - 1, b"x");
        assert_eq!(far.hash(), None);
        let mut before = Scattered::default();
        before.add(10, b"x");
        before.add(0, &content);
        assert_eq!(before.hash(), None);
    }

    proptest! {
        #[test]
        fn pieces_in_any_order_have_the_hash_of_all_of_it(
            lengths in prop::collection::vec(1..5_000_usize, 1..12),
            order in any::<u64>(),
        ) {
            let content = content(lengths.iter().sum());
            let mut pieces = Vec::new();
            let mut at = 0;
            for length in &lengths {
                pieces.push((at as u64, &content[at..at + length]));
                at += length;
            }
            // As good as shuffled.
            pieces.sort_by_key(|(at, _)| (at + 1).wrapping_mul(order | 1));
            let mut scattered = Scattered::default();
            for (at, bytes) in &pieces {
                scattered.add(*at, bytes);
            }
            prop_assert_eq!(scattered.hash(), Some(ContentHash::of(&content)));
            prop_assert_eq!(scattered.runs.len(), 1);
        }
    }
}
