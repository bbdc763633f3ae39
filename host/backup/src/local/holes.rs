//! Sparse files: the data between their holes is read and stored, and the holes are made again.
//!
//! Invariant: what is stored of a file is what is between the holes that are noted of it; a hole that is not noted is zeros
//! among its data.

use mainstay_domain::archive::{DocumentKind, Entry, Hole, MAX_HOLES, data_between, data_bytes};
use rustix::{
    fs::{SeekFrom as Place, seek},
    io::Errno,
};
use std::{
    fs::{File, Metadata},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, MetadataExt},
};

/// What is shorter is zeros among the data: a hole that a file system makes is at least as long.
const MIN_HOLE: u64 = 4_096;

/// The data of a file, which is read as if there were no holes in it.
pub(super) struct FileData {
    file: File,
    size: u64,
    holes: Vec<Hole>,
    /// Where in the file it is read, where it has holes.
    at: u64,
    /// The next of the holes.
    next: usize,
}

impl FileData {
    /// All of a file, whatever it has of holes.
    pub(super) fn whole(file: File, size: u64) -> Self {
        Self::around(file, size, Vec::new())
    }

    /// That of a file around its holes.
    pub(super) fn open(file: File, metadata: &Metadata) -> io::Result<Self> {
        let size = metadata.len();
        let is_sparse = metadata.blocks().saturating_mul(512) < size;
        let holes = match is_sparse {
            // Where the file system does not tell, all is data.
            true => find_holes(&file, size, MAX_HOLES).unwrap_or_default(),
            false => Vec::new(),
        };
        if is_sparse {
            let mut from = &file;
            from.rewind()?;
        }
        Ok(Self::around(file, size, holes))
    }

    /// That around these holes, of a file that is at its beginning.
    pub(super) fn around(file: File, size: u64, holes: Vec<Hole>) -> Self {
        Self {
            file,
            size,
            holes,
            at: 0,
            next: 0,
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn holes(&self) -> &[Hole] {
        &self.holes
    }

    /// Bytes that are to be read, as far as it is known.
    pub(super) fn expected(&self) -> u64 {
        data_bytes(&self.holes, self.size)
    }

    /// Whether a document holds as much, in the same places.
    pub(super) fn is_like(&self, document: &Entry) -> bool {
        document.kind == DocumentKind::File
            && document.link().is_none()
            && document.size == self.size
            && document.holes() == self.holes
    }

    /// Back to the beginning.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        (self.at, self.next) = (0, 0);
        self.file.rewind()
    }
}

impl Read for FileData {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(test)]
        super::tests::broken_off::reads(&self.file)?;
        if self.holes.is_empty() {
            return self.file.read(buffer);
        }
        while let Some(hole) = self.holes.get(self.next)
            && hole.offset <= self.at
        {
            self.at = hole.end();
            self.next += 1;
            self.file.seek(SeekFrom::Start(self.at))?;
        }
        let end = self
            .holes
            .get(self.next)
            .map_or(self.size, |hole| hole.offset);
        let left = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let count = self.file.read(buffer.get_mut(..room).unwrap_or_default())?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Where a file of this size has holes; of more than so many the longest.
fn find_holes(file: &File, size: u64, most: usize) -> rustix::io::Result<Vec<Hole>> {
    let (mut holes, mut least, mut at) = (Vec::new(), MIN_HOLE, 0);
    while at < size {
        let offset = match seek(file, Place::Hole(at)) {
            Err(Errno::NXIO) => size,
            found => found?,
        };
        let end = match seek(file, Place::Data(offset)) {
            Err(Errno::NXIO) => size,
            found => found?.min(size),
        };
        let length = end.saturating_sub(offset);
        if length == 0 {
            break;
        }
        if length >= least {
            holes.push(Hole { offset, length });
        }
        while holes.len() > most {
            least = least.saturating_mul(2);
            holes.retain(|hole: &Hole| hole.length >= least);
        }
        at = end;
    }
    Ok(holes)
}

/// Whether a file has nothing but zeros in these places; what is a hole is not read. It is at its beginning after that.
pub(super) fn are_zeros(file: &File, holes: &[Hole]) -> io::Result<bool> {
    let mut buffer = vec![0_u8; 1 << 16];
    let mut is_empty = true;
    for hole in holes {
        is_empty = is_empty && is_zeros(file, *hole, &mut buffer)?;
    }
    let mut from = file;
    from.rewind()?;
    Ok(is_empty)
}

fn is_zeros(file: &File, hole: Hole, buffer: &mut [u8]) -> io::Result<bool> {
    let mut at = hole.offset;
    while at < hole.end() {
        at = match seek(file, Place::Data(at)) {
            Err(Errno::NXIO) => return Ok(true),
            // The file system does not tell.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
            found => found?,
        };
        let left = usize::try_from(hole.end().saturating_sub(at)).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let piece = buffer.get_mut(..room).unwrap_or_default();
        let count = file.read_at(piece, at)?;
        if piece.iter().take(count).any(|byte| *byte != 0) {
            return Ok(false);
        }
        if count == 0 {
            break;
        }
        at += count as u64;
    }
    Ok(true)
}

/// Writes data, which is read as if there were no holes in it, around the holes of a file that is empty.
pub(super) fn spread(
    data: &mut impl Read,
    file: &mut File,
    holes: &[Hole],
    size: u64,
) -> io::Result<()> {
    file.set_len(size)?;
    for (begin, end) in data_between(holes, size) {
        file.seek(SeekFrom::Start(begin))?;
        let copied = io::copy(&mut data.by_ref().take(end - begin), file)?;
        if copied < end - begin {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with data in these places, and holes between them.
    fn sparse(size: u64, data: &[(u64, &[u8])]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        for (offset, bytes) in data {
            file.write_all_at(bytes, *offset).unwrap();
        }
        file
    }

    fn read(data: &mut FileData) -> Vec<u8> {
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_tebibyte_of_nothing_is_read_and_made_again_around_what_is_in_it() {
        let (size, middle) = (1_u64 << 40, 1_u64 << 30);
        let piece = vec![7; 1 << 16];
        let file = sparse(size, &[(middle, &piece), (size - (1 << 16), &piece)]);
        let metadata = file.metadata().unwrap();
        let mut data = FileData::open(file, &metadata).unwrap();
        assert_eq!(data.expected(), 2 << 16);
        let bytes = read(&mut data);
        assert_eq!(bytes, vec![7; 2 << 16]);
        data.rewind().unwrap();
        assert_eq!(read(&mut data), bytes);
        let holes = data.holes().to_vec();
        assert_eq!(holes.len(), 2);

        let mut again = tempfile::tempfile().unwrap();
        spread(&mut bytes.as_slice(), &mut again, &holes, size).unwrap();
        assert!(are_zeros(&again, &holes).unwrap());
        let metadata = again.metadata().unwrap();
        assert!(
            metadata.blocks() < 1 << 12,
            "it takes {} blocks",
            metadata.blocks()
        );
        let again = FileData::open(again, &metadata).unwrap();
        assert_eq!((again.holes(), again.size), (holes.as_slice(), size));
        let short = spread(
            &mut &bytes[1..],
            &mut tempfile::tempfile().unwrap(),
            &holes,
            size,
        );
        assert_eq!(short.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_in_place_of_a_hole_is_found() {
        let file = sparse(1 << 20, &[(70_000, b"x")]);
        let hole = |offset, length| Hole { offset, length };
        assert!(are_zeros(&file, &[hole(0, 70_000), hole(70_001, 1)]).unwrap());
        assert!(!are_zeros(&file, &[hole(0, 70_001)]).unwrap());
        assert!(are_zeros(&file, &[]).unwrap());
    }

    #[test]
    fn of_too_many_holes_the_longest_are_noted() {
        let data: Vec<(u64, &[u8])> = (1..9).map(|n| (n * n * 65_536, &b"x"[..])).collect();
        let file = sparse(100 * 65_536, &data);
        let all = find_holes(&file, 100 * 65_536, 100).unwrap();
        let some = find_holes(&file, 100 * 65_536, 4).unwrap();
        assert!(
            all.len() > 4 && !some.is_empty() && some.len() <= 4,
            "{all:?} {some:?}"
        );
        let longest = some.iter().map(|hole| hole.length).min();
        assert!(some.iter().all(|hole| all.contains(hole)) && longest > Some(MIN_HOLE));
    }

    #[test]
    fn what_has_no_holes_is_read_whole_and_grows() {
        let file = sparse(0, &[(0, b"data")]);
        let metadata = file.metadata().unwrap();
        file.write_all_at(b"more", 4).unwrap();
        let mut data = FileData::open(file, &metadata).unwrap();
        assert_eq!((data.expected(), data.holes()), (4, &[][..]));
        assert_eq!(read(&mut data), b"datamore");
    }
}
