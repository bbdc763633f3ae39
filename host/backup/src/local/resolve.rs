//! Where a path leads.

use std::{
    fs,
    io::ErrorKind,
    path::{Component, Path, PathBuf},
};

/// The path without links and `..`, also where nothing is at its end yet, or any more: a restore that was interrupted may
/// have left the link to its target dangling.
pub(super) fn resolve(path: &Path) -> PathBuf {
    match path.canonicalize() {
        Ok(found) => return found,
        Err(error) if error.kind() != ErrorKind::NotFound => return path.to_owned(),
        Err(_) => {}
    }
    let mut parts = path.components();
    let (last, above) = (parts.next_back(), parts.as_path());
    match last {
        Some(Component::Normal(name)) => {
            let parent = resolve(above);
            let path = parent.join(name);
            match fs::read_link(&path) {
                Ok(link) => resolve(&parent.join(link)),
                Err(_) => path,
            }
        }
        // What is above has no links any more, so that this is the directory that holds it.
        Some(Component::ParentDir) => {
            let above = resolve(above);
            above.parent().unwrap_or(&above).to_owned()
        }
        _ => path.to_owned(),
    }
}
