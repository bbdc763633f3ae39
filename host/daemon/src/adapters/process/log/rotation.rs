//! The rotation of one log: its content goes into numbered files beside it, and off its front.
//!
//! Invariant: what is taken off is in its place before, so neither a failure nor the end of the daemon loses it.
//! Invariant: a failure has nothing twice: what was put in place and cannot be taken off is taken back.

use rustix::fs::{FallocateFlags, OFlags, fallocate};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// How much a rotated file may have above its size: what comes between the look that finds the file too long and the copy
/// is kept whole where it is no more than one large write.
const ONE_WRITE: u64 = 64 << 10;

/// Moves the content of a file that is above `max_bytes` into `PATH.1`, and each older one a place further. Where it is
/// far above, its newest part goes into as many files as are kept, and the rest of it is lost.
pub(super) fn rotate(path: &Path, max_bytes: u64, keep: u32) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() <= max_bytes {
        return Ok(());
    }
    // Only whole blocks can be taken off, and at least one byte must stay.
    let block = metadata.blksize().max(1);
    let whole = (metadata.len() - 1) / block * block;
    if keep == 0 {
        if whole == 0 || take_off(&file, whole).is_err() {
            file.set_len(0)?;
        }
        return remove_above(path, 0);
    }
    let piece = max_bytes.saturating_add(ONE_WRITE) / block * block;
    let pieces = Pieces {
        path,
        keep,
        bytes: piece.max(block),
    };
    // What is left of it when this ends is deleted.
    let partial = Partial::of(path, 1);
    let is_done = whole > 0
        && can_take_off(&partial, block)
        && pieces.take_from_front(&file, whole, &partial)?;
    if !is_done {
        pieces.copy_all(&file)?;
    }
    remove_above(path, keep)
}

/// How a file is cut into rotated ones.
struct Pieces<'a> {
    path: &'a Path,
    keep: u32,
    /// Whole blocks.
    bytes: u64,
}

impl Pieces<'_> {
    fn all(&self) -> u64 {
        self.bytes.saturating_mul(u64::from(self.keep))
    }

    /// Piece by piece: each is taken off once it is in its place, so a failure, or a kill, loses none, and a failure
    /// doubles none. Not done where the file system does not let it be taken off.
    fn take_from_front(&self, file: &File, whole: u64, partial: &Partial) -> io::Result<bool> {
        let excess = whole.saturating_sub(self.all());
        if excess > 0 && take_off(file, excess).is_err() {
            return Ok(false);
        }
        let mut left = whole - excess;
        while left > 0 {
            let length = left.min(self.bytes);
            // First, so that there are never more than are kept: it would be written over.
            remove_above(self.path, self.keep.saturating_sub(1))?;
            copy_part(file, partial, 0, length)?;
            put_in_place(self.path, self.keep, partial)?;
            if take_off(file, length).is_err() {
                take_back(self.path, self.keep, 1)?;
                return Ok(false);
            }
            left -= length;
        }
        Ok(true)
    }

    /// All that is to be kept, and then the file is emptied.
    fn copy_all(&self, file: &File) -> io::Result<()> {
        let end = file.metadata()?.len();
        let mut from = end.saturating_sub(self.all());
        let count = u32::try_from((end - from).div_ceil(self.bytes)).unwrap_or(self.keep);
        remove_above(self.path, self.keep.saturating_sub(count))?;
        let mut copies = Vec::new();
        let mut room = 0;
        for number in 1..=count {
            let partial = Partial::of(self.path, number);
            let length = self.bytes.min(end - from);
            let copy = copy_part(file, &partial, from, length)?;
            copies.push((partial, copy));
            from += length;
            room = self.bytes - length;
        }
        // Not before all are there: a failure in their midst would have those before it twice.
        let mut in_place = 0;
        let mut put_all = || {
            for (partial, _) in &copies {
                put_in_place(self.path, self.keep, partial)?;
                in_place += 1;
            }
            if let Some((_, newest)) = copies.last() {
                append_rest(file, newest, end, room)?;
            }
            file.set_len(0)
        };
        let done = put_all();
        if done.is_err() {
            take_back(self.path, self.keep, in_place)?;
        }
        done
    }
}

/// What was written since the copy, and no more than there is room for: of that the newest.
fn append_rest(mut file: &File, mut newest: &File, from: u64, room: u64) -> io::Result<()> {
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.max(end.saturating_sub(room))))?;
    io::copy(&mut file.take(room), &mut newest)?;
    Ok(())
}

/// Takes so much off the front of a file, whoever writes to it.
fn take_off(file: &File, length: u64) -> io::Result<()> {
    Ok(fallocate(file, FallocateFlags::COLLAPSE_RANGE, 0, length)?)
}

/// Whether the file system can do that.
fn can_take_off(partial: &Partial, block: u64) -> bool {
    partial.create().is_ok_and(|file| {
        file.set_len(block.saturating_mul(2)).is_ok() && take_off(&file, block).is_ok()
    })
}

/// Makes it the newest rotated file.
fn put_in_place(path: &Path, keep: u32, partial: &Partial) -> io::Result<()> {
    for number in (1..keep).rev() {
        rename_if_there(path, number, number + 1)?;
    }
    std::fs::rename(&partial.0, numbered(path, 1))
}

/// Deletes so many of the newest rotated files: what they hold is still in the file itself.
fn take_back(path: &Path, keep: u32, count: u32) -> io::Result<()> {
    for number in 1..=count {
        std::fs::remove_file(numbered(path, number))?;
    }
    for number in count.saturating_add(1)..=keep {
        rename_if_there(path, number, number - count)?;
    }
    Ok(())
}

fn rename_if_there(path: &Path, from: u32, to: u32) -> io::Result<()> {
    match std::fs::rename(numbered(path, from), numbered(path, to)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A copy that is not yet in its place. What is left of it when a rotation fails is deleted: on a full disk it would
/// take the last bytes that others need.
struct Partial(PathBuf);

impl Partial {
    fn of(path: &Path, number: u32) -> Self {
        Self(match number {
            1 => with_suffix(path, "partial"),
            _ => with_suffix(path, &format!("partial.{number}")),
        })
    }

    /// In place of what lies there: what a kill left, or something that would not even let itself be opened.
    fn create(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        let left = options
            .clone()
            .create(true)
            .truncate(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&self.0);
        match left {
            Ok(file) if !file.metadata()?.file_type().is_fifo() => Ok(file),
            _ => {
                let _ = std::fs::remove_file(&self.0);
                options.create_new(true).open(&self.0)
            }
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After its renaming it is not there any more.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Copies `length` bytes beside the file.
fn copy_part(mut file: &File, partial: &Partial, from: u64, length: u64) -> io::Result<File> {
    let mut copy = partial.create()?;
    file.seek(SeekFrom::Start(from))?;
    io::copy(&mut file.take(length), &mut copy)?;
    Ok(copy)
}

/// Deletes rotated files that an earlier, larger `keep` left.
fn remove_above(path: &Path, keep: u32) -> io::Result<()> {
    let mut number = keep;
    loop {
        number = number.saturating_add(1);
        match std::fs::remove_file(numbered(path, number)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn numbered(path: &Path, number: u32) -> PathBuf {
    with_suffix(path, &number.to_string())
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{is_above, open},
        *,
    };
    use std::io::Write;

    fn content(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    fn lines(from: usize, to: usize) -> String {
        (from..to).map(|n| format!("line {n:06}\n")).collect()
    }

    #[test]
    fn what_lies_in_the_place_of_an_unfinished_copy_holds_nothing_up() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        for keep in [1, 2] {
            std::fs::write(&path, lines(0, 2_000)).unwrap();
            mkfifoat(CWD, with_suffix(&path, "partial"), Mode::RUSR | Mode::WUSR).unwrap();
            rotate(&path, 10_000, keep).unwrap();
            assert!(!is_above(&path, 10_000), "{keep}");
            assert!(!with_suffix(&path, "partial").exists(), "{keep}");
        }
    }

    #[test]
    fn rotation_under_an_open_writer_loses_no_line_and_keeps_so_many_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        let (mut writer, _) = open(&path).unwrap();
        for turn in 0..5 {
            writer
                .write_all(lines(turn * 2_000, (turn + 1) * 2_000).as_bytes())
                .unwrap();
            assert!(is_above(&path, 10_000));
            rotate(&path, 10_000, 2).unwrap();
            assert!(!is_above(&path, 10_000), "turn {turn}");
        }
        writer.write_all(b"the end\n").unwrap();
        let kept =
            [numbered(&path, 2), numbered(&path, 1), path.clone()].map(|file| content(&file));
        let all = lines(0, 10_000) + "the end\n";
        assert!(
            all.ends_with(&kept.concat()),
            "what is kept is the newest part, whole"
        );
        assert!(kept.concat().len() > 2 * 20_000);
        assert!(!numbered(&path, 3).exists() && !with_suffix(&path, "partial").exists());
    }

    #[test]
    fn a_file_within_its_size_stays_and_fewer_to_keep_deletes_the_older() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        std::fs::write(&path, "short").unwrap();
        rotate(&path, 5, 3).unwrap();
        assert_eq!(content(&path), "short");
        for number in 1..=3 {
            std::fs::write(numbered(&path, number), "old").unwrap();
        }
        rotate(&path, 4, 1).unwrap();
        assert_eq!(
            (content(&path).len(), content(&numbered(&path, 1)).as_str()),
            (0, "short")
        );
        assert!(!numbered(&path, 2).exists() && !numbered(&path, 3).exists());
        std::fs::write(&path, "again").unwrap();
        rotate(&path, 4, 0).unwrap();
        assert!(content(&path).is_empty() && !numbered(&path, 1).exists());
    }

    #[test]
    fn a_rotation_that_finds_the_disk_full_leaves_the_file_and_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        let long = lines(0, 2_000);
        std::fs::write(&path, &long).unwrap();
        let partial = with_suffix(&path, "partial");
        std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
        let error = rotate(&path, 10_000, 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(partial.symlink_metadata().is_err(), "it is deleted");
        assert_eq!(content(&path), long);
    }

    /// A file of 48 kB, and an older rotated one.
    fn pieces(path: &Path) -> (String, File) {
        let long = lines(0, 4_000);
        std::fs::write(path, &long).unwrap();
        std::fs::write(numbered(path, 1), "older\n").unwrap();
        let mut options = OpenOptions::new();
        (long, options.read(true).write(true).open(path).unwrap())
    }

    #[test]
    fn of_a_file_far_above_its_size_the_newest_part_is_kept_and_it_is_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        let (long, file) = pieces(&path);
        let all = Pieces {
            path: &path,
            keep: 2,
            bytes: 12_288,
        };
        all.copy_all(&file).unwrap();
        let kept = content(&numbered(&path, 2)) + &content(&numbered(&path, 1));
        assert_eq!(kept, long[long.len() - 2 * 12_288..]);
        assert_eq!(content(&path), "");
        // The other way leaves less than a block in the file.
        let (long, file) = pieces(&path);
        let whole = (file.metadata().unwrap().len() - 1) / 4_096 * 4_096;
        let partial = Partial::of(&path, 1);
        if all.take_from_front(&file, whole, &partial).unwrap() {
            let kept = [numbered(&path, 2), numbered(&path, 1), path.clone()];
            let kept = kept.map(|file| content(&file)).concat();
            assert!(long.ends_with(&kept) && kept.len() > 2 * 12_288);
            assert!(content(&path).len() <= 4_096);
        }
    }

    #[test]
    fn what_was_written_since_the_copy_is_kept_from_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        std::fs::write(&path, "copied, old, new").unwrap();
        let file = File::open(&path).unwrap();
        let newest = File::create(numbered(&path, 1)).unwrap();
        append_rest(&file, &newest, 6, 3).unwrap();
        append_rest(&file, &newest, 11, 100).unwrap();
        assert_eq!(content(&numbered(&path, 1)), "new, new");
    }

    #[test]
    fn a_rotation_in_pieces_that_fails_in_their_midst_puts_none_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        let (long, file) = pieces(&path);
        let second = Partial::of(&path, 2);
        std::os::unix::fs::symlink("/dev/full", &second.0).unwrap();
        let all = Pieces {
            path: &path,
            keep: 3,
            bytes: 12_288,
        };
        let error = all.copy_all(&file).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(content(&path), long);
        assert!(!numbered(&path, 2).exists() && !Partial::of(&path, 1).0.exists());
    }

    #[test]
    fn pieces_that_were_put_in_place_are_taken_back_where_the_file_cannot_be_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        let (long, _) = pieces(&path);
        let all = Pieces {
            path: &path,
            keep: 8,
            bytes: 12_288,
        };
        // One that is open for reading only is not emptied.
        let file = File::open(&path).unwrap();
        all.copy_all(&file).unwrap_err();
        assert_eq!(content(&path), long);
        assert_eq!(content(&numbered(&path, 1)), "older\n");
        assert!(!numbered(&path, 2).exists());
    }
}
