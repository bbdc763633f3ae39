//! Which sources of a job cannot be in one backup: what they store could never be put back as it was.
//!
//! Invariant: it costs what sorting the sources costs, whatever their keys and paths are.

use super::{DocumentKey, InvalidKey, KeyPrefix};
use crate::spec::BackupSource;
use std::{collections::BTreeMap, path::Path};

/// Why a source cannot be in a backup, alone or with another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// Its key or its prefix is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// A file, which is what a source that is no directory stores, would take the place of the whole tree.
    #[error(
        "the key `.` is the directory that everything is restored into, and what a program prints, or a database, is a file; write \
         e.g. `dump.sql`"
    )]
    RootKey,
    /// Both have the same key.
    #[error(
        "the key `{0}`: two documents have it; give each source a `prefix` or a `key` of its own"
    )]
    SameKey(String),
    /// One stores a file where the other needs a directory.
    #[error(
        "`{file}` is the key of a file, of what a program prints or a database, and `{below}` lies below it: no file is a directory as well; give \
         one of them another name"
    )]
    BelowFile {
        /// The key of the file.
        file: String,
        /// The key below it.
        below: String,
    },
    /// What a plugin gives alone lies below its prefix.
    #[error(
        "what a plugin gives lies below `{prefix}`, and `{below}` lies there too; give one of them another name"
    )]
    BelowPrefix {
        /// The prefix of the plugin's source.
        prefix: String,
        /// The key below it.
        below: String,
    },
    /// One directory lies in the other.
    #[error(
        "{inner} lies in {outer}, so that it would be stored twice and each restored over the other; name one of them"
    )]
    Nested {
        /// The directory that lies in the other, or is the same.
        inner: String,
        /// The other.
        outer: String,
    },
}

/// A source that cannot be in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultySource {
    /// Which it is, by its place in the list, from 0.
    pub source: usize,
    /// With which other, by its place too, where it is not for itself.
    pub other: Option<usize>,
    /// Why.
    pub fault: SourceFault,
}

/// Every source that cannot be in one backup with those before it; at most one fault of each.
///
/// ```
/// use mainstay_domain::{archive::faulty_sources, spec::BackupSource};
/// let directory = |path: &str, prefix: &str| BackupSource::Directory {
///     path: path.into(),
///     prefix: prefix.to_owned(),
/// };
/// assert!(faulty_sources(&[directory("/a", "a"), directory("/b", "b")]).is_empty());
/// assert_eq!(faulty_sources(&[directory("/a", ""), directory("/b", "")]).len(), 1);
/// ```
pub fn faulty_sources(sources: &[BackupSource]) -> Vec<FaultySource> {
    let mut faults = Faults::default();
    let mut keys = Vec::with_capacity(sources.len());
    for (number, source) in sources.iter().enumerate() {
        match key_of(source) {
            Ok(key) => keys.push((key, number)),
            Err(fault) => faults.alone(number, fault),
        }
    }
    // In this order what lies below a key follows it at once.
    keys.sort_by(|(one, _), (other, _)| names(one).cmp(names(other)));
    let mut before: Option<(&DocumentKey, usize)> = None;
    let mut file: Option<(&DocumentKey, usize)> = None;
    for (key, number) in &keys {
        if let Some((_, other)) = before.filter(|(before, _)| *before == key) {
            faults.between(*number, other, SourceFault::SameKey(key.to_string()));
            continue;
        }
        before = Some((key, *number));
        if let Some((above, other)) = file.filter(|(above, _)| is_below(key, above)) {
            let below = key.to_string();
            let fault = match sources.get(other) {
                Some(BackupSource::Plugin(_)) => SourceFault::BelowPrefix {
                    prefix: above.to_string(),
                    below,
                },
                _ => SourceFault::BelowFile {
                    file: above.to_string(),
                    below,
                },
            };
            faults.between(*number, other, fault);
        } else if sources
            .get(*number)
            .is_some_and(|source| source.document().is_some())
        {
            file = Some((key, *number));
        }
    }
    let directories = sources.iter().enumerate();
    let directories = directories.filter_map(|(number, source)| match source {
        BackupSource::Directory { path, .. } => Some((path.as_path(), number)),
        BackupSource::Command { .. }
        | BackupSource::File { .. }
        | BackupSource::Http(_)
        | BackupSource::Plugin(_)
        | BackupSource::Redis(_)
        | BackupSource::Sqlite { .. } => None,
    });
    let mut directories: Vec<(&Path, usize)> = directories.collect();
    directories.sort();
    let mut around: Option<(&Path, usize)> = None;
    for (path, number) in directories {
        match around.filter(|(outer, _)| path.starts_with(outer)) {
            None => around = Some((path, number)),
            Some((outer, other)) => {
                let nested = SourceFault::Nested {
                    inner: path.display().to_string(),
                    outer: outer.display().to_string(),
                };
                faults.between(number, other, nested);
            }
        }
    }
    faults.0.into_values().collect()
}

/// By the source.
#[derive(Default)]
struct Faults(BTreeMap<usize, FaultySource>);

impl Faults {
    fn alone(&mut self, source: usize, fault: SourceFault) {
        self.0.entry(source).or_insert(FaultySource {
            source,
            other: None,
            fault,
        });
    }

    /// Told of the later one of the two.
    fn between(&mut self, one: usize, other: usize, fault: SourceFault) {
        let source = one.max(other);
        self.0.entry(source).or_insert(FaultySource {
            source,
            other: Some(one.min(other)),
            fault,
        });
    }
}

fn names(key: &DocumentKey) -> impl Iterator<Item = &str> {
    key.as_str().split('/')
}

fn is_below(key: &DocumentKey, above: &DocumentKey) -> bool {
    let rest = key.as_str().strip_prefix(above.as_str());
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// The key of what a source stores at its top.
fn key_of(source: &BackupSource) -> Result<DocumentKey, SourceFault> {
    if let BackupSource::Directory { prefix, .. } = source {
        let prefix = KeyPrefix::parse(prefix)?;
        return Ok(prefix.join(&DocumentKey::root()).restorable()?);
    }
    let key = DocumentKey::parse(source.document().unwrap_or_default())?;
    match key.restorable()? {
        key if key.is_root() => Err(SourceFault::RootKey),
        key => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// `/path=prefix` is a directory, `!key` what a program prints, `?key` a database, `+prefix` a plugin.
    fn source(text: &str) -> BackupSource {
        match text.split_once('=') {
            Some((path, prefix)) => BackupSource::Directory {
                path: path.into(),
                prefix: prefix.to_owned(),
            },
            None if text.starts_with('+') => BackupSource::Plugin(crate::spec::PluginSource {
                plugin: crate::name::PluginName::parse("export").unwrap(),
                version: semver::VersionReq::STAR,
                prefix: text.trim_start_matches('+').to_owned(),
                timeout: Duration::from_secs(1),
            }),
            None if text.starts_with('?') => BackupSource::Sqlite {
                path: "/app.db".into(),
                key: text.trim_start_matches('?').to_owned(),
            },
            None => BackupSource::Command {
                run: vec!["dump".to_owned()],
                cwd: "/".into(),
                run_as: crate::spec::RunAs::default(),
                key: text.trim_start_matches('!').to_owned(),
                timeout: Duration::from_secs(1),
            },
        }
    }

    fn faults(text: &str) -> Vec<FaultySource> {
        let sources: Vec<BackupSource> = text.split_whitespace().map(source).collect();
        faulty_sources(&sources)
    }

    #[test]
    fn what_can_be_put_back_is_allowed() {
        for good in [
            "/data=",
            "/data= !where",
            "/data=files !dump/where",
            "/data= /other=sub/other !dump",
            "/data=a /data2=b",
            "!a !b !c/d !c/e",
            "/data= ?app.db !app.sql",
            "/data=a !a/b",
            "/data= +given !other",
        ] {
            assert_eq!(faults(good), [], "{good}");
        }
    }

    #[test]
    fn what_could_never_be_put_back_is_refused_with_the_source_that_it_clashes_with() {
        for (bad, source, other, says) in [
            ("!.", 0, None, "the key `.` is the directory"),
            ("?.", 0, None, "the key `.` is the directory"),
            ("?k !k", 1, Some(0), "the key `k`: two documents"),
            ("+k !k", 1, Some(0), "the key `k`: two documents"),
            ("+k !k/x", 1, Some(0), "gives lies below `k`, and `k/x`"),
            (
                "/data=k/x +k",
                1,
                Some(0),
                "gives lies below `k`, and `k/x`",
            ),
            ("+.", 0, None, "the key `.` is the directory"),
            ("?k /data=k/x", 1, Some(0), "`k/x` lies below it"),
            ("!k !k/x", 1, Some(0), "`k/x` lies below it"),
            ("!k/x !k", 1, Some(0), "`k/x` lies below it"),
            ("!k !k/x/y/z", 1, Some(0), "`k/x/y/z` lies below it"),
            ("!k /data=k/x", 1, Some(0), "`k/x` lies below it"),
            ("!k /data=k", 1, Some(0), "the key `k`: two documents"),
            ("!k !k", 1, Some(0), "the key `k`: two documents"),
            ("/a= /b=", 1, Some(0), "the key `.`: two documents"),
            ("/a=. /b=", 1, Some(0), "the key `.`: two documents"),
            ("/a=x/ /b=x", 1, Some(0), "the key `x`: two documents"),
            ("/a=x /a=y", 1, Some(0), "/a lies in /a"),
            ("/a=x /a/b/c=y", 1, Some(0), "/a/b/c lies in /a"),
            ("/a/b/c=y /a=x", 1, Some(0), "/a/b/c lies in /a"),
            ("/a=x /=y", 1, Some(0), "/a lies in /"),
            ("!a//b", 0, None, "is not a document key"),
            ("!a/./b", 0, None, "is not a document key"),
            ("!a/", 0, None, "is not a document key"),
            ("!%2E%2E", 0, None, "is not a document key"),
            ("/a=/", 0, None, "is not a document key"),
        ] {
            let found = faults(bad);
            let [fault] = found.as_slice() else {
                panic!("{bad}: {found:?}");
            };
            assert_eq!((fault.source, fault.other), (source, other), "{bad}");
            let text = fault.fault.to_string();
            assert!(text.contains(says), "{bad}: {text}");
        }
    }

    #[test]
    fn what_has_a_name_that_no_file_can_have_could_never_be_put_back() {
        let long = "a".repeat(256);
        for bad in [
            format!("!{long}"),
            format!("?x/{long}"),
            format!("+{long}"),
            format!("/data={long}/x"),
        ] {
            let found = faults(&bad);
            let [fault] = found.as_slice() else {
                panic!("{bad}: {found:?}");
            };
            let text = fault.fault.to_string();
            assert!(text.contains("more than 255 bytes"), "{bad}: {text}");
        }
        assert_eq!(faults(&format!("!{}", "a".repeat(255))), []);
    }

    #[test]
    fn each_of_many_sources_has_one_fault_at_most() {
        let many: Vec<BackupSource> = (0..20_000).map(|_| source("/a=")).collect();
        assert_eq!(faulty_sources(&many).len(), many.len() - 1);
        let apart = (0..20_000).map(|n| source(&format!("/a{n}/b=p{n}")));
        let apart: Vec<BackupSource> = apart.collect();
        assert_eq!(faulty_sources(&apart), []);
    }
}
