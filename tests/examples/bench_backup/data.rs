//! What is backed up, made from a seed.

use mainstay_tests::campaign::Random;
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

const MIB: usize = 1 << 20;
/// Bytes of the mixed tree.
const MIXED: usize = 300 * MIB;
/// Files of the tree with many, and how many of them change.
const FILES: usize = 100_000;
const CHANGED: usize = 100;

/// The trees. All programs read the same ones; what changes in them goes on changing.
pub(crate) struct Trees {
    /// 300 MiB: a third text, a third that cannot be compressed, and a third records that half can, in files of 1 KiB to 4 MiB.
    pub(crate) mixed: PathBuf,
    /// 100,000 files of up to 2 KiB, 100 in each directory.
    pub(crate) files: PathBuf,
    /// One file of 100 MiB.
    pub(crate) big: PathBuf,
    /// A directory of 20 MiB in a directory.
    pub(crate) moved: PathBuf,
    /// One file of 5 GiB.
    pub(crate) large: Option<PathBuf>,
    /// 1,000,000 files of up to 64 bytes, 1,000 in each directory.
    pub(crate) many: Option<PathBuf>,
}

impl Trees {
    /// Makes them below a directory.
    pub(crate) fn make(home: &Path, random: &mut Random, large: bool, many: bool) -> Self {
        let place = |name: &str| {
            let place = home.join(name);
            fs::create_dir(&place).unwrap();
            place
        };
        let trees = Self {
            mixed: place("mixed"),
            files: place("files"),
            big: place("big"),
            moved: place("moved"),
            large: large.then(|| place("large")),
            many: many.then(|| place("many")),
        };
        let mut left = MIXED;
        for number in 0_usize.. {
            if left == 0 {
                break;
            }
            // Most are small, and most bytes are in large ones.
            let most = 1_usize << (10 + random.index(13));
            let length = (most / 2 + random.index(most / 2)).min(left);
            left -= length;
            let directory = trees.mixed.join(format!("{:03}", number / 50));
            fs::create_dir_all(&directory).unwrap();
            let bytes = bytes(random, length, number % 3);
            fs::write(directory.join(number.to_string()), bytes).unwrap();
        }
        small_files(&trees.files, random, (FILES, 100, 2_048));
        write_large(&trees.big.join("file"), random, 100);
        let inner = trees.moved.join("before");
        fs::create_dir(&inner).unwrap();
        for number in 0..200 {
            let bytes = bytes(random, 20 * MIB / 200, number % 3);
            fs::write(inner.join(number.to_string()), bytes).unwrap();
        }
        if let Some(large) = &trees.large {
            write_large(&large.join("file"), random, 5 << 10);
        }
        if let Some(many) = &trees.many {
            small_files(many, random, (1_000_000, 1_000, 64));
        }
        trees
    }

    /// Writes 100 of the 100,000 files anew.
    pub(crate) fn change_files(&self, random: &mut Random) {
        for _ in 0..CHANGED {
            let path = small_file(&self.files, random.index(FILES), 100);
            let length = 1 + random.index(2_048);
            fs::write(path, bytes(random, length, 0)).unwrap();
        }
    }

    /// Changes one byte of the 100 MiB, in its place.
    pub(crate) fn change_a_byte(&self, random: &mut Random) {
        let path = self.big.join("file");
        let file = File::options().read(true).write(true).open(path).unwrap();
        let at = u64::try_from(random.index(100 * MIB)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        file.sync_all().unwrap();
    }

    /// Renames the directory of 20 MiB, there or back.
    pub(crate) fn rename(&self) {
        let (one, other) = (self.moved.join("before"), self.moved.join("after"));
        match one.exists() {
            true => fs::rename(one, other).unwrap(),
            false => fs::rename(other, one).unwrap(),
        }
    }
}

fn small_file(home: &Path, number: usize, each: usize) -> PathBuf {
    home.join((number / each).to_string())
        .join(number.to_string())
}

fn small_files(home: &Path, random: &mut Random, (count, each, most): (usize, usize, usize)) {
    for number in 0..count {
        let path = small_file(home, number, each);
        if number % each == 0 {
            fs::create_dir(path.parent().unwrap()).unwrap();
        }
        let length = random.index(most);
        fs::write(path, bytes(random, length, number % 3)).unwrap();
    }
}

fn write_large(path: &Path, random: &mut Random, mib: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for number in 0..mib {
        file.write_all(&bytes(random, MIB, number % 3)).unwrap();
    }
    file.flush().unwrap();
}

/// So many bytes: text, noise, or records of which half is noise.
fn bytes(random: &mut Random, length: usize, kind: usize) -> Vec<u8> {
    const WORDS: [&str; 8] = [
        "restart", "verify", "backup", "target", "incident", "chain", "order", "filled",
    ];
    let mut bytes = Vec::with_capacity(length + 32);
    while bytes.len() < length {
        match kind {
            0 => {
                bytes.extend_from_slice(random.pick(&WORDS).as_bytes());
                write!(bytes, " {} ", random.below(1_000)).unwrap();
            }
            1 => bytes.extend_from_slice(&random.number().to_le_bytes()),
            _ => {
                bytes.extend_from_slice(&random.number().to_le_bytes());
                bytes.extend_from_slice(b"\0\0\0\0\0\0\0\x01");
            }
        }
    }
    bytes.truncate(length);
    bytes
}
