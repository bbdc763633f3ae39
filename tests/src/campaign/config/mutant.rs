//! A config that is nearly one of those that the repository has.

use super::nasty;
use crate::{campaign::Random, repository};
use std::{fmt::Write, fs, path::Path};

/// How much is done at once where that costs time: a build without optimisation is some ten times as slow.
const MANY: usize = if cfg!(debug_assertions) { 300 } else { 3_000 };

/// The longest file of nothing, in bytes.
const LONG_FILE: usize = if cfg!(debug_assertions) {
    1 << 20
} else {
    17 << 20
};

/// Bytes that mean something to a parser, a terminal or the system.
const BYTES: [&[u8]; 16] = [
    b"\0",
    b"\x1b",
    b"\xff",
    b"\xc3",
    b"\r",
    b"\n",
    b"\"",
    b"'",
    b"[",
    b"]",
    b"{",
    b"}",
    b"=",
    b"#",
    b".",
    "\u{202e}".as_bytes(),
];

/// The configs that are changed.
pub(super) struct Seeds {
    /// The example with every key.
    reference: Vec<u8>,
    /// Good ones and broken ones.
    corpus: Vec<Vec<u8>>,
}

/// A changed config, and what was done to it.
pub(super) struct Mutant {
    pub(super) text: Vec<u8>,
    pub(super) what: String,
}

impl Seeds {
    pub(super) fn read() -> Self {
        let corpus = repository().join("host/daemon/src/config/corpus");
        let mut files = Vec::new();
        for directory in [
            &corpus,
            &corpus.join("good"),
            &repository().join("examples"),
        ] {
            add_files(directory, &mut files);
        }
        assert!(files.len() > 50, "the corpus has lost files");
        Self {
            reference: fs::read(repository().join("examples/mainstay.toml")).unwrap(),
            corpus: files,
        }
    }

    pub(super) fn mutant(&self, random: &mut Random) -> Mutant {
        let mut text = match random.below(2) {
            0 => self.reference.clone(),
            _ => random.pick(&self.corpus).clone(),
        };
        let mut what = String::new();
        for _ in 0..1 + random.below(3) {
            let done = self.change(&mut text, random);
            let _ = write!(what, "{done}; ");
        }
        Mutant { text, what }
    }

    /// Does one thing: what, for people.
    fn change(&self, text: &mut Vec<u8>, random: &mut Random) -> String {
        if random.once_in(200) {
            return many(text, random);
        }
        let mut lines: Vec<Vec<u8>> = text
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        let keyed: Vec<usize> = (0..lines.len())
            .filter(|line| lines[*line].contains(&b'='))
            .collect();
        let at = random.index(lines.len());
        let at = match keyed.as_slice() {
            [] => at,
            keyed => *random.pick(keyed),
        };
        let place = random.index(lines[at].len() + 1);
        let number = at + 1;
        let done = match random.below(15) {
            0 if place < lines[at].len() => {
                lines[at][place] ^= 1 << random.below(8);
                format!("bit flipped in line {number}")
            }
            1 => {
                let bytes = *random.pick(&BYTES);
                lines[at].splice(place..place, bytes.iter().copied());
                format!("{bytes:?} put into line {number}")
            }
            2 => {
                lines.remove(at);
                format!("line {number} removed")
            }
            3 => {
                let again = lines[at].clone();
                let times = 1 + random.index(3);
                lines.splice(at..at, std::iter::repeat_n(again, times));
                format!("line {number} repeated {times} times")
            }
            4 => {
                let line = lines.remove(at);
                let to = random.index(lines.len() + 1);
                lines.insert(to, line);
                format!("line {number} moved to {}", to + 1)
            }
            5 if keyed.len() > 1 => {
                let other = *random.pick(&keyed);
                let (key, value) = halves(&lines[at]);
                let (other_key, other_value) = halves(&lines[other]);
                let swapped = [[other_key, value].concat(), [key, other_value].concat()];
                let [one, two] = swapped;
                lines[at] = one;
                lines[other] = two;
                format!("keys of the lines {number} and {} swapped", other + 1)
            }
            6 => {
                let end = (at + 1 + random.index(8)).min(lines.len());
                lines.drain(at..end);
                format!("lines {number} to {end} removed")
            }
            7 => {
                let other = random.pick(&self.corpus);
                let foreign: Vec<&[u8]> = other.split(|byte| *byte == b'\n').collect();
                let from = random.index(foreign.len());
                let end = (from + 1 + random.index(12)).min(foreign.len());
                let taken: Vec<Vec<u8>> = foreign[from..end].iter().map(|l| l.to_vec()).collect();
                lines.splice(at..at, taken);
                format!("{} foreign lines before line {number}", end - from)
            }
            8 => {
                lines.truncate(at);
                format!("cut before line {number}")
            }
            9 => {
                let end = (at + 1 + random.index(30)).min(lines.len());
                let block = lines[at..end].to_vec();
                lines.extend(block);
                format!("lines {number} to {end} once more at the end")
            }
            10 | 11 => {
                let quotes: Vec<usize> = (0..lines[at].len())
                    .filter(|place| lines[at][*place] == b'"')
                    .collect();
                let text = nasty::text(random);
                if let Some([open, close]) = quotes.as_chunks::<2>().0.first() {
                    lines[at].splice(open + 1..*close, text.iter().copied());
                }
                format!("{:?} in line {number}", String::from_utf8_lossy(text))
            }
            _ => {
                let value = nasty::value(random);
                let (key, _) = halves(&lines[at]);
                let shown: String = String::from_utf8_lossy(&value).chars().take(40).collect();
                lines[at] = [key, &b"= "[..], &value].concat();
                format!("{shown:?} as the value in line {number}")
            }
        };
        *text = lines.join(&b'\n');
        done
    }
}

/// Key and the rest, which begins with the `=`.
fn halves(line: &[u8]) -> (&[u8], &[u8]) {
    let equals = line.iter().position(|byte| *byte == b'=');
    line.split_at(equals.unwrap_or(line.len()))
}

/// Adds something that there can be too much of.
fn many(text: &mut Vec<u8>, random: &mut Random) -> String {
    let mut more = String::from("\n");
    let done = match random.below(7) {
        0 => {
            for number in 0..MANY {
                let before = number.saturating_sub(1);
                let depends = match number {
                    0 => String::new(),
                    _ => format!("depends_on = [\"many-{before}\"]\n"),
                };
                let _ = write!(more, "[[target]]\nname = \"many-{number}\"\n{depends}");
            }
            "a long chain of targets"
        }
        1 => {
            let all: Vec<String> = (0..200)
                .map(|number| format!("\"wide-{number}\""))
                .collect();
            for number in 0..200 {
                let others = all.join(", ");
                let _ = write!(
                    more,
                    "[[target]]\nname = \"wide-{number}\"\ndepends_on = [{others}]\n"
                );
            }
            "a circle of all targets"
        }
        2 => {
            for number in 0..MANY {
                let _ = write!(
                    more,
                    "[[route]]\nfailure = \"f-{number}\"\nchain = [{{ handler = \"h\" }}]\n"
                );
            }
            "many routes"
        }
        3 => {
            more = "\n".repeat(LONG_FILE);
            "a long file of empty lines"
        }
        4 => {
            more = "#".repeat(LONG_FILE);
            "a long comment"
        }
        5 => {
            for number in 0..MANY {
                let _ = writeln!(more, "[a{number}.b.c.d]\nx{number} = 1");
            }
            "many unknown tables"
        }
        _ => {
            let key = vec!["a"; MANY].join(".");
            let _ = writeln!(more, "{key} = 1");
            "a deep key"
        }
    };
    text.extend(more.into_bytes());
    done.to_owned()
}

fn add_files(directory: &Path, files: &mut Vec<Vec<u8>>) {
    let mut paths: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .collect();
    // So that a seed gives the same campaign on every machine.
    paths.sort();
    files.extend(paths.iter().map(|path| fs::read(path).unwrap()));
}
