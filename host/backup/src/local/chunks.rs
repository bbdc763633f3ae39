//! Cuts large documents where their content says.

use crate::port::BackupStoreError;
use fastcdc::v2020::FastCDC;
use mainstay_domain::archive::PART_BYTES;
use std::io::{self, Read};

/// How long the parts of a document are.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkSizes {
    /// A longer document comes in parts; no part is longer.
    pub(super) most: usize,
    pub(super) average: usize,
    /// Only the last part is shorter, and one that ends before a character.
    pub(super) least: usize,
}

impl Default for ChunkSizes {
    fn default() -> Self {
        Self {
            most: PART_BYTES,
            average: PART_BYTES / 4,
            least: PART_BYTES / 16,
        }
    }
}

/// Hands on a file's bytes in chunks; one ends between two characters where the content is UTF-8. The inner error is the
/// file's own: what was handed on before it is all that can be read.
pub(super) fn for_each_chunk(
    file: &mut impl Read,
    sizes: ChunkSizes,
    on_chunk: &mut dyn FnMut(&[u8]) -> Result<(), BackupStoreError>,
) -> Result<io::Result<()>, BackupStoreError> {
    let mut buffer = Vec::with_capacity(sizes.most);
    let mut ended = None;
    loop {
        let room = sizes.most.saturating_sub(buffer.len()) as u64;
        if ended.is_none() {
            match file.by_ref().take(room).read_to_end(&mut buffer) {
                Err(error) => ended = Some(Err(error)),
                Ok(_) if buffer.len() < sizes.most => ended = Some(Ok(())),
                Ok(_) => {}
            }
        }
        if buffer.is_empty() {
            return Ok(ended.unwrap_or(Ok(())));
        }
        let length = chunk_length(&buffer, ended.is_some(), sizes);
        on_chunk(buffer.get(..length).unwrap_or_default())?;
        buffer.drain(..length);
    }
}

/// Is told of each chunk.
type OnChunk<'a> = dyn FnMut(&[u8]) -> Result<(), BackupStoreError> + 'a;

/// Cuts what comes in pieces as [`for_each_chunk`] cuts what is read.
pub(super) struct Cutter {
    /// At most as long as a part.
    buffer: Vec<u8>,
    sizes: ChunkSizes,
}

impl Cutter {
    pub(super) fn new(sizes: ChunkSizes) -> Self {
        Self {
            buffer: Vec::new(),
            sizes,
        }
    }

    /// The next bytes. What is no longer than a part yet is kept whole.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        on_chunk: &mut OnChunk<'_>,
    ) -> Result<(), BackupStoreError> {
        while !bytes.is_empty() {
            if self.buffer.len() >= self.sizes.most {
                self.cut(false, on_chunk)?;
            }
            let room = self.sizes.most.saturating_sub(self.buffer.len());
            let (fitting, rest) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(fitting);
            bytes = rest;
        }
        Ok(())
    }

    /// There is no more.
    pub(super) fn finish(mut self, on_chunk: &mut OnChunk<'_>) -> Result<(), BackupStoreError> {
        while !self.buffer.is_empty() {
            self.cut(true, on_chunk)?;
        }
        Ok(())
    }

    /// What was not cut; all, where nothing was.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.buffer
    }

    fn cut(&mut self, at_end: bool, on_chunk: &mut OnChunk<'_>) -> Result<(), BackupStoreError> {
        let length = chunk_length(&self.buffer, at_end, self.sizes);
        on_chunk(self.buffer.get(..length).unwrap_or_default())?;
        self.buffer.drain(..length);
        Ok(())
    }
}

/// How long the first chunk of some content is, which perhaps goes on.
fn chunk_length(content: &[u8], at_end: bool, sizes: ChunkSizes) -> usize {
    let chunker = FastCDC::new(content, sizes.least, sizes.average, sizes.most);
    let (_, length) = chunker.cut(0, content.len());
    let chunk = content.get(..length).unwrap_or(content);
    let is_last = at_end && chunk.len() == content.len();
    match std::str::from_utf8(chunk) {
        // It is cut inside a character.
        Err(error) if !is_last && error.error_len().is_none() && error.valid_up_to() > 0 => {
            error.valid_up_to()
        }
        _ => chunk.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::HashSet,
        io::{Seek, Write},
    };

    const SMALL: ChunkSizes = ChunkSizes {
        most: 1024,
        average: 256,
        least: 64,
    };

    fn chunks(content: &[u8]) -> Vec<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        let mut chunks = Vec::new();
        let read = for_each_chunk(&mut file, SMALL, &mut |chunk| {
            chunks.push(chunk.to_vec());
            Ok(())
        });
        read.unwrap().unwrap();
        assert_eq!(chunks.concat(), content);
        assert!(chunks.iter().all(|chunk| chunk.len() <= SMALL.most));
        chunks
    }

    #[test]
    fn what_comes_in_pieces_is_cut_as_what_is_read_and_what_is_short_is_not() {
        let content = noise(20_000);
        for piece in [1, 100, 1_024, 5_000, 20_000] {
            let (mut cutter, mut cut) = (Cutter::new(SMALL), Vec::new());
            let mut on_chunk = |chunk: &[u8]| {
                cut.push(chunk.to_vec());
                Ok(())
            };
            for bytes in content.chunks(piece) {
                cutter.push(bytes, &mut on_chunk).unwrap();
            }
            cutter.finish(&mut on_chunk).unwrap();
            assert_eq!(cut, chunks(&content), "{piece}");
        }
        let mut cutter = Cutter::new(SMALL);
        let mut never = |_: &[u8]| -> Result<(), BackupStoreError> { panic!("it is cut") };
        cutter.push(&content[..1_000], &mut never).unwrap();
        cutter.push(&content[1_000..1_024], &mut never).unwrap();
        assert_eq!(cutter.into_rest(), &content[..1_024]);
    }

    /// As good as random.
    fn noise(length: usize) -> Vec<u8> {
        let mut content = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut content);
        content
    }

    #[test]
    fn an_edit_makes_a_few_chunks_new_wherever_it_is_and_whatever_it_moves() {
        let content = noise(100_000);
        let before: HashSet<Vec<u8>> = chunks(&content).into_iter().collect();
        for at in [0, 1, 50_000, 99_999] {
            let mut changed = content.clone();
            changed[at] ^= 1;
            let mut longer = content.clone();
            longer.insert(at, 7);
            let mut shorter = content.clone();
            shorter.remove(at);
            for edited in [changed, longer, shorter] {
                let new = chunks(&edited);
                let new = new.iter().filter(|chunk| !before.contains(*chunk));
                assert!((1..=12).contains(&new.count()), "{at}");
            }
        }
    }

    #[test]
    fn text_is_cut_between_characters_and_what_is_none_anywhere() {
        for text in ["ä".repeat(5_000), "\u{1F980}x".repeat(3_000)] {
            for chunk in chunks(text.as_bytes()) {
                assert!(std::str::from_utf8(&chunk).is_ok());
            }
        }
        assert!(chunks(b"").is_empty());
        assert_eq!(chunks(&[0; 5_000]).len(), 5);
        assert!(chunks(&noise(5_000)).len() > 5);
    }
}
