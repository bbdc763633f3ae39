//! Whether `init` may write where it is told to.

use crate::{carried, cli::failure::Usage};
use anyhow::bail;
use mainstay_domain::name::PluginName;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Refuses a directory that is a plugin of `with`, and files that are there, the config first.
pub(super) fn check(
    named: &Path,
    files: [Option<&PathBuf>; 2],
    with: &[PluginName],
) -> anyhow::Result<()> {
    // A directory that is called so and is there is one.
    let second = named.to_str().filter(|_| !named.exists());
    let second = second.filter(|second| carried::named(second).is_ok());
    if let (Some(second), Some(first)) = (second, with.last()) {
        let problem = format!(
            "`{second}` is a plugin, and would be the directory; several stand with commas, as in --with {first},{second}, and \
             ./{second} is the directory"
        );
        return Err(Usage(problem).into());
    }
    let mut files = files.into_iter().flatten();
    let Some(there) = files.find(|file| fs::symlink_metadata(file).is_ok()) else {
        return Ok(());
    };
    let names: Vec<&str> = with.iter().map(PluginName::as_str).collect();
    let beside = match names.as_slice() {
        [] => String::new(),
        names => format!(
            "; `mainstay plugin install {}` puts plugins beside a config that is there",
            names.join(" ")
        ),
    };
    bail!(
        "{} is there already, and nothing was written; name another directory, or move it away{beside}",
        there.display()
    )
}
