//! Hints that the config may have changed.
//!
//! Invariant: the directory is watched, not the file: editors replace files. A hint is no more than that; what
//! changed is found by reading.

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::Path;
use tokio::sync::mpsc;

/// Watches the directory of a config, and `conf.d` in it. Hints stop when the answer is dropped. A full channel holds
/// hints enough, so none is waited for.
///
/// # Errors
/// The system gives no watch; without hints the files are still looked at every few seconds.
pub fn watch(config: &Path, hints: mpsc::Sender<()>) -> Result<RecommendedWatcher, notify::Error> {
    let mut watcher =
        notify::recommended_watcher(move |event: Result<notify::Event, notify::Error>| {
            let is_hint = event.as_ref().map_or(true, may_be_a_change);
            if is_hint {
                let _ = hints.try_send(());
            }
        })?;
    let directory = match config.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    let drop_ins = directory.join("conf.d");
    if drop_ins.is_dir() {
        watcher.watch(&drop_ins, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Ignores reads, and files in the directory that are not config. An event without paths means that events were lost.
fn may_be_a_change(event: &notify::Event) -> bool {
    let is_config = |path: &std::path::PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
            || path.ends_with("conf.d")
    };
    !matches!(event.kind, EventKind::Access(_))
        && (event.paths.is_empty() || event.paths.iter().any(is_config))
}
