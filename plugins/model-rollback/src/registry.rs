//! A registry of models on disk: a directory for each model, with its versions in `versions/`, and two files of a line,
//! `current_version` and `last_stable_version`.
//!
//! Invariant: `current_version` is whole at any moment: it is written beside, and moved into its place.
//! Invariant: of a file a bounded part is read, and it is a regular one; links are not followed.

use crate::decide::{Model, Rollback, is_name};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// The version that is served.
const CURRENT: &str = "current_version";
/// The last version that is known to work.
const STABLE: &str = "last_stable_version";
/// What was done to the model.
const ROLLBACK: &str = "rollback";
/// How much of a file is read, in bytes.
const MOST_BYTES: u64 = 16 << 10;

/// The names of the models in a registry, sorted.
pub(crate) fn models(registry: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(registry)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_name(&name) && entry.path().join(CURRENT).is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A model, and which of its last stable version and the baseline are there.
pub(crate) fn read(registry: &Path, name: &str, baseline: &str) -> io::Result<Model> {
    let directory = registry.join(name);
    // A directory that is not there is told; a file that is not is none.
    fs::metadata(&directory)?;
    let version = |file: &str| -> io::Result<Option<String>> {
        let text = text_of(&directory.join(file))?;
        let version = text.map(|text| text.trim().to_owned());
        Ok(version.filter(|version| is_name(version)))
    };
    let (current, stable) = (version(CURRENT)?, version(STABLE)?);
    let wanted = [stable.as_deref(), Some(baseline)];
    let there = wanted.into_iter().flatten().filter(|version| {
        let path = directory.join("versions").join(version);
        fs::symlink_metadata(path).is_ok()
    });
    let there = there.map(str::to_owned).collect();
    let last = text_of(&directory.join(ROLLBACK))?;
    Ok(Model {
        current,
        stable,
        there,
        last: last.as_deref().and_then(Rollback::of_text),
    })
}

/// Notes what is done, and makes the version the current one.
pub(crate) fn take(registry: &Path, name: &str, rollback: &Rollback) -> io::Result<()> {
    let directory = registry.join(name);
    replace(&directory, ROLLBACK, &rollback.to_text())?;
    replace(&directory, CURRENT, &format!("{}\n", rollback.taken()))
}

/// The text of a small regular file; none where there is no file.
fn text_of(path: &Path) -> io::Result<Option<String>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(found) if !found.is_file() => {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(_) => {}
    }
    let mut text = String::new();
    File::open(path)?
        .take(MOST_BYTES)
        .read_to_string(&mut text)?;
    Ok(Some(text))
}

fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let partial = directory.join(format!(".{name}.partial"));
    let mut file = File::create(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(partial, directory.join(name))
}
