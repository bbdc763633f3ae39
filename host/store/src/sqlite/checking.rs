//! The check of a journal that is too large to be read before the daemon starts: on a thread of its own, while it runs.
//!
//! Invariant: it only reads, through a connection of its own, and finds what was there at one moment.
//! Invariant: it ends soon after it is told to, wherever it is; what it finds by then is not told.

use super::{
    error::{damaged_in_use, explain, may_pass},
    open::{first_damage_while, open_to_read},
    schema::MIGRATIONS,
};
use parking_lot::Mutex;
use rusqlite::{Connection, InterruptHandle};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::SetOnce;

/// An interrupt ends the statement that runs, and not the one that is about to; so it is repeated this often.
const AGAIN: Duration = Duration::from_millis(2);

/// What a daemon that runs has found out about its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalDamage {
    /// What was found first.
    pub found: String,
    /// The same with the file's name and what to do; a sentence for people.
    pub text: String,
}

/// The thread.
pub(super) struct Checking {
    is_stopped: Arc<AtomicBool>,
    interrupt: InterruptHandle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Checking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checking").finish_non_exhaustive()
    }
}

impl Checking {
    /// Begins to look through the journal, of the newest schema; what is wrong is set, once. None where that cannot be
    /// begun, which is logged and keeps no daemon from running.
    pub(super) fn start(path: &Path, damage: Arc<SetOnce<JournalDamage>>) -> Option<Self> {
        let started = Self::try_start(path.to_owned(), damage);
        started
            .inspect_err(|why| {
                tracing::warn!(path = %path.display(), %why, "the journal is not checked as a whole");
            })
            .ok()
    }

    fn try_start(path: PathBuf, damage: Arc<SetOnce<JournalDamage>>) -> Result<Self, String> {
        let connection = open_to_read(&path).map_err(|error| explain(&path, &error).to_string())?;
        let interrupt = connection.get_interrupt_handle();
        let is_stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_stopped);
        let thread = std::thread::Builder::new()
            .name("journal-check".to_owned())
            .spawn(move || look(&path, &connection, &seen, &damage))
            .map_err(|error: io::Error| format!("no thread: {error}"))?;
        Ok(Self {
            is_stopped,
            interrupt,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Ends it, and waits until it has ended.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        let Some(thread) = self.thread.lock().take() else {
            return;
        };
        while !thread.is_finished() {
            self.interrupt.interrupt();
            std::thread::sleep(AGAIN);
        }
        // Where it has panicked, the journal is none the worse for it.
        let _ = thread.join();
    }
}

fn look(
    path: &Path,
    connection: &Connection,
    is_stopped: &AtomicBool,
    damage: &SetOnce<JournalDamage>,
) {
    let is_stopped = || is_stopped.load(Ordering::SeqCst);
    let looked = first_damage_while(connection, MIGRATIONS.len(), &|| !is_stopped());
    let found = match looked {
        _ if is_stopped() => return,
        Ok(None) => {
            tracing::debug!(path = %path.display(), "the journal was checked as a whole and is right");
            return;
        }
        Ok(Some(found)) => found,
        Err(error) if may_pass(&error) => {
            let why = explain(path, &error);
            tracing::warn!(%why, "the journal could not be checked as a whole");
            return;
        }
        Err(error) => error.to_string(),
    };
    let text = damaged_in_use(path, &found);
    // Nobody else sets it.
    let _ = damage.set(JournalDamage { found, text });
}
