//! The processes of the targets as the kernel has them; no daemon is asked.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// What each target's process has in its environment, with the target's name.
const MARK: &str = "SOAK=";

/// Whose process this is, where it runs in this directory.
fn target_of(pid: u32, root: &Path) -> Option<String> {
    if fs::read_link(format!("/proc/{pid}/cwd")).ok()? != root {
        return None;
    }
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = environment.split(|byte| *byte == 0);
    entries.find_map(|entry| {
        let name = std::str::from_utf8(entry).ok()?.strip_prefix(MARK)?;
        Some(name.to_owned())
    })
}

/// Every process of every target.
pub(super) fn running(root: &Path) -> BTreeMap<String, Vec<u32>> {
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && let Some(target) = target_of(pid, root)
        {
            found.entry(target).or_default().push(pid);
        }
    }
    found
}

/// Looks all the time whether a supervised process runs twice.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    doubled: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins; `is_supervised` says whose processes are the daemon's own.
    pub(super) fn begin(root: PathBuf, is_supervised: fn(&str) -> bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let doubled: Arc<Mutex<Option<String>>> = Arc::default();
        let thread = thread::spawn({
            let (stop, doubled) = (Arc::clone(&stop), Arc::clone(&doubled));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    if let Some(found) = doubled_in(&root, is_supervised) {
                        *doubled.lock().unwrap() = Some(found);
                        return;
                    }
                    // The pace of looking.
                    thread::sleep(Duration::from_millis(50));
                }
            }
        });
        Self {
            stop,
            doubled,
            thread: Some(thread),
        }
    }

    /// Panics where one ran twice.
    pub(super) fn must_have_seen_no_copy(&self) {
        if let Some(found) = &*self.doubled.lock().unwrap() {
            panic!("a supervised process runs twice: {found}");
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn doubled_in(root: &Path, is_supervised: fn(&str) -> bool) -> Option<String> {
    let several = running(root)
        .into_iter()
        .filter(|(target, pids)| pids.len() > 1 && is_supervised(target));
    for (target, pids) in several {
        // The first may have ended before the second began: only those that are there together count.
        let still = |pid: &u32| target_of(*pid, root).as_deref() == Some(&target);
        let together: Vec<u32> = pids.into_iter().filter(still).collect();
        if together.len() > 1 {
            return Some(format!("{target} as {together:?}"));
        }
    }
    None
}
