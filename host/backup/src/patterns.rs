//! Patterns of what lies below a directory, as the config has them.
//!
//! Invariant: a pattern that could never name anything is none: who wrote it meant something else.

use globset::{Candidate, Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// Why a text is no pattern; a sentence that goes on from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPattern(String);

/// Whether a text is a pattern of paths below a directory. `*` stands for any part of a name, `?` for one letter of it,
/// `[a-z]` for one of these, `{a,b}` for one of both, and `**` for any number of whole names; `\` takes the meaning from the
/// letter after it. One without a slash names what has that name, wherever it is; any other is meant from the directory
/// on, also where its only slash is its first letter.
///
/// # Errors
/// It cannot be read as one, or nothing could ever be named by it.
///
/// ```
/// use mainstay_backup::check_pattern;
/// assert!(check_pattern("*.tmp").is_ok() && check_pattern("/cache/**").is_ok());
/// assert!(check_pattern("cache/").is_err() && check_pattern("[a").is_err());
/// ```
pub fn check_pattern(text: &str) -> Result<(), InvalidPattern> {
    Patterns::of(&[text.to_owned()]).map(drop)
}

/// Some of them.
#[derive(Debug, Clone)]
pub(crate) struct Patterns {
    globs: GlobSet,
    /// What each begins with, up to the first name in it that is none by itself; absent where one may name something anywhere.
    begin: Option<Vec<String>>,
}

impl Patterns {
    pub(crate) fn of(texts: &[String]) -> Result<Self, InvalidPattern> {
        let mut globs = GlobSetBuilder::new();
        for text in texts {
            globs.add(glob(text)?);
        }
        let globs = globs.build().map_err(|error| unreadable(&error))?;
        let begin = texts.iter().map(|text| beginning(text)).collect();
        Ok(Self { globs, begin })
    }

    /// Whether one of them names what has this path below the directory.
    pub(crate) fn name(&self, relative: &[u8]) -> bool {
        let candidate = Candidate::from_bytes(relative);
        self.globs.is_match_candidate(&candidate)
    }

    /// Whether one of them may name a directory with this path, or something in it.
    pub(crate) fn may_name_in(&self, directory: &[u8]) -> bool {
        let lies_in = |inner: &[u8], outer: &[u8]| {
            let rest = inner.strip_prefix(outer);
            rest.is_some_and(|rest| outer.is_empty() || matches!(rest, [] | [b'/', ..]))
        };
        let Some(begin) = self.begin.as_ref().filter(|_| directory != b".") else {
            return true;
        };
        let mut begin = begin.iter().map(String::as_bytes);
        begin.any(|begin| lies_in(directory, begin) || lies_in(begin, directory))
    }

    /// The same of it, or of a directory that it is in.
    pub(crate) fn name_or_hold(&self, relative: &[u8]) -> bool {
        let slashes = relative.iter().enumerate();
        let slashes = slashes.filter(|(_, byte)| **byte == b'/');
        let mut ends = slashes.map(|(at, _)| at).chain([relative.len()]);
        ends.any(|end| relative.get(..end).is_some_and(|name| self.name(name)))
    }
}

fn unreadable(error: &globset::Error) -> InvalidPattern {
    InvalidPattern(format!("cannot be read: {}", error.kind()))
}

/// The names that a pattern begins with; none where it may begin anywhere.
fn beginning(text: &str) -> Option<String> {
    let below = text.strip_prefix('/').unwrap_or(text);
    let names = below.split('/');
    let plain = names.take_while(|name| !name.contains(['*', '?', '[', '{', '\\']));
    let plain: Vec<&str> = plain.collect();
    text.contains('/').then(|| plain.join("/"))
}

fn glob(text: &str) -> Result<Glob, InvalidPattern> {
    let below = text.strip_prefix('/').unwrap_or(text);
    let mut names = below.split('/');
    let fault = if below.is_empty() {
        Some("names nothing")
    } else if below.ends_with('/') {
        Some("ends with a slash, and no name does")
    } else if names.clone().any(str::is_empty) {
        Some("has two slashes with no name between them")
    } else if names.any(|name| matches!(name, "." | "..")) {
        Some("has `.` or `..` for a name, and no path below a directory has")
    } else {
        None
    };
    if let Some(fault) = fault {
        return Err(InvalidPattern(fault.to_owned()));
    }
    let anywhere = format!("**/{below}");
    let pattern = match text.contains('/') {
        true => below,
        false => anywhere.as_str(),
    };
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_what_it_says() {
        for (pattern, path, named) in [
            ("*.tmp", "a.tmp", true),
            ("*.tmp", "deep/below/a.tmp", true),
            ("*.tmp", "a.tmp/below", false),
            ("*.tmp", "a.tmp.kept", false),
            ("cache", "cache", true),
            ("cache", "deep/cache", true),
            ("cache", "cached", false),
            ("/cache", "cache", true),
            ("/cache", "deep/cache", false),
            ("cache/**", "cache/x", true),
            ("cache/**", "cache/x/y", true),
            ("cache/**", "cache", false),
            ("cache/**", "deep/cache/x", false),
            ("**/cache/**", "deep/cache/x", true),
            ("log/*.log", "log/a.log", true),
            ("log/*.log", "log/old/a.log", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[ab].db", "b.db", true),
            ("*.{db,log}", "x/y.log", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("ö*", "öl", true),
        ] {
            let patterns = Patterns::of(&[pattern.to_owned()]).unwrap();
            assert_eq!(patterns.name(path.as_bytes()), named, "{pattern}: {path}");
        }
        let names = Patterns::of(&["*.tmp".to_owned(), "b".to_owned()]).unwrap();
        assert!(names.name(b"\xff.tmp") && names.name(b"\xff/b") && !names.name(b"\xff"));
        assert!(!Patterns::of(&[]).unwrap().name(b"a"));
        for (path, named) in [
            ("b/c/d", true),
            ("a/b", true),
            ("a/c", false),
            ("bc/d", false),
        ] {
            assert_eq!(names.name_or_hold(path.as_bytes()), named, "{path}");
        }
    }

    #[test]
    fn a_directory_is_passed_over_only_where_nothing_in_it_can_be_named() {
        for (patterns, directory, may) in [
            (["/positions", "log/*/old"], "positions", true),
            (["/positions", "log/*/old"], "positions/deep", true),
            (["/positions", "log/*/old"], "positions2", false),
            (["/positions", "log/*/old"], "log", true),
            (["/positions", "log/*/old"], "log/a", true),
            (["/positions", "log/*/old"], "logs", false),
            (["/positions", "log/*/old"], ".", true),
            (["a/b/c", "a/b/d"], "a", true),
            (["a/b/c", "a/b/d"], "a/b", true),
            (["a/b/c", "a/b/d"], "a/c", false),
            (["a/b", "*.db"], "anywhere", true),
            (["a/b", "**/x/y"], "anywhere", true),
            (["a/b", "{c,d/e}/f"], "anywhere", true),
            (["a/b", "c\\*/d"], "anywhere", true),
        ] {
            let texts = patterns.map(str::to_owned);
            let found = Patterns::of(&texts).unwrap();
            let found = found.may_name_in(directory.as_bytes());
            assert_eq!(found, may, "{patterns:?} in {directory}");
        }
    }

    #[test]
    fn what_could_name_nothing_is_no_pattern() {
        for (bad, says) in [
            ("", "names nothing"),
            ("/", "names nothing"),
            ("cache/", "ends with a slash"),
            ("a//b", "two slashes"),
            ("//a", "two slashes"),
            ("./a", "`.` or `..`"),
            ("a/../b", "`.` or `..`"),
            ("..", "`.` or `..`"),
            ("[a", "cannot be read"),
            ("{a,b", "cannot be read"),
        ] {
            let error = check_pattern(bad).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }
}
