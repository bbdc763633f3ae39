//! The names in directories, and the way of a walk through them, in little memory: one directory may hold a million.

use super::tree::below;
use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, path::PathBuf};

/// Names in a directory, one after another in the same bytes.
#[derive(Debug, Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where a name is, and how long.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: u32,
    length: u16,
}

impl Place {
    fn of(self, bytes: &[u8]) -> &[u8] {
        let rest = usize::try_from(self.at).ok().and_then(|at| bytes.get(at..));
        let name = rest.and_then(|rest| rest.get(..usize::from(self.length)));
        name.unwrap_or_default()
    }
}

impl Names {
    /// An error where they come to more than 4 GiB.
    pub(super) fn push(&mut self, name: &[u8]) -> io::Result<()> {
        let at = u32::try_from(self.bytes.len()).map_err(io::Error::other)?;
        let length = u16::try_from(name.len()).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(name);
        self.places.push(Place { at, length });
        Ok(())
    }

    /// By their bytes.
    pub(super) fn sort(&mut self) {
        let Self { bytes, places } = self;
        places.sort_unstable_by(|a, b| a.of(bytes).cmp(b.of(bytes)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OsStr> {
        let places = self.places.iter();
        places.map(|place| OsStr::from_bytes(place.of(&self.bytes)))
    }

    fn get(&self, number: usize) -> Option<&OsStr> {
        let place = self.places.get(number)?;
        Some(OsStr::from_bytes(place.of(&self.bytes)))
    }

    /// Takes out the names that are not to be kept, in the order that they have.
    pub(super) fn split_off(&mut self, keep: impl Fn(&OsStr) -> bool) -> io::Result<Self> {
        let mut others = Self::default();
        for name in self.iter().filter(|name| !keep(name)) {
            others.push(name.as_bytes())?;
        }
        let Self { bytes, places } = self;
        if !others.is_empty() {
            places.retain(|place| keep(OsStr::from_bytes(place.of(bytes))));
        }
        Ok(others)
    }
}

/// What a walk has still to look at: each directory before what it holds, what it holds in the order of its names.
pub(super) struct Open {
    /// The root, and the file system of the directory that it is in, where that is known.
    root: Option<(PathBuf, Option<u64>)>,
    /// The directories that are entered, each in the one before.
    entered: Vec<Entered>,
}

struct Entered {
    /// Relative to the root, and where it is.
    directory: (Vec<u8>, PathBuf),
    /// The number of its file system.
    device: u64,
    names: Names,
    /// The next of them.
    next: usize,
}

impl Open {
    /// The root itself, to begin with.
    pub(super) fn new(root: PathBuf, above: Option<u64>) -> Self {
        Self {
            root: Some((root, above)),
            entered: Vec::new(),
        }
    }

    /// The path relative to the root of what comes next, `.` of that itself, where it is, and the file system of the directory
    /// that it is in.
    pub(super) fn take_next(&mut self) -> Option<(Vec<u8>, PathBuf, Option<u64>)> {
        if let Some((root, above)) = self.root.take() {
            return Some((b".".to_vec(), root, above));
        }
        loop {
            let entered = self.entered.last_mut()?;
            let (relative, path) = &entered.directory;
            if let Some(name) = entered.names.get(entered.next) {
                entered.next += 1;
                let device = Some(entered.device);
                return Some((below(relative, name), path.join(name), device));
            }
            self.entered.pop();
        }
    }

    /// These names in a directory, which came last and is in this file system, are next.
    pub(super) fn enter(&mut self, directory: (Vec<u8>, PathBuf), device: u64, names: Names) {
        self.entered.push(Entered {
            directory,
            device,
            names,
            next: 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Names {
        let mut names = Names::default();
        for name in of {
            names.push(name.as_bytes()).unwrap();
        }
        names.sort();
        names
    }

    fn told(names: &Names) -> Vec<&str> {
        names.iter().map(|name| name.to_str().unwrap()).collect()
    }

    #[test]
    fn names_are_told_in_the_order_of_their_bytes_and_those_that_are_taken_out_too() {
        let mut all = names(&["b", "", "a.tmp", "ä", "a", "b.tmp", "B"]);
        let sorted = ["", "B", "a", "a.tmp", "b", "b.tmp", "ä"];
        assert_eq!(told(&all), sorted);
        let is_kept = |name: &OsStr| !name.as_bytes().ends_with(b".tmp");
        let others = all.split_off(is_kept).unwrap();
        assert_eq!(told(&others), ["a.tmp", "b.tmp"]);
        assert_eq!(told(&all), ["", "B", "a", "b", "ä"]);
        assert!(all.split_off(|_| true).unwrap().is_empty());
    }

    #[test]
    fn a_name_takes_little_more_than_its_bytes() {
        assert_eq!(size_of::<Place>(), 8);
        assert!(Names::default().push(&[b'x'; 1 << 16]).is_err());
    }

    #[test]
    fn a_directory_comes_before_what_it_holds_and_that_before_its_neighbours() {
        let mut open = Open::new(PathBuf::from("/data"), Some(1));
        let mut came = Vec::new();
        while let Some((relative, path, above)) = open.take_next() {
            assert_eq!(above, Some(if relative == b"." { 1 } else { 2 }));
            let inside: &[&str] = match relative.as_slice() {
                b"." => &["b", "a", "c"],
                b"a" => &["z", "y"],
                b"a/y" => &["deep"],
                _ => &[],
            };
            came.push(String::from_utf8(relative.clone()).unwrap());
            if relative == b"a/y/deep" {
                assert_eq!(path, PathBuf::from("/data/a/y/deep"));
            }
            open.enter((relative, path), 2, names(inside));
        }
        assert_eq!(came, [".", "a", "a/y", "a/y/deep", "a/z", "b", "c"]);
    }
}
