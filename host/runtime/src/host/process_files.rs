//! One step with each file: read it when it is worth reading, and accept or reject the result once it is final.
//!
//! Invariant: a file is rejected for good only because of its content. Failures of the host are retried; conflicts
//! with another file are rechecked when that file is gone. Of a file that the host could not judge for want of something
//! of its own, nothing is told.

use super::{build::Refusal, file_history, reload::Reloader, rows::Waiting};
use crate::{error::LoadError, lack, observer::PluginEvent};
use mainstay_domain::{
    plugin::PluginState,
    plugin_file::{Confidence, FileFlaw, FileStep},
    time::Monotonic,
};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// What is compiled apart is done, or given up, long before.
const COMPILED_BY: Duration = Duration::from_secs(24 * 3600);

/// What took all that the machine had is not tried again before this.
const STARVED_FOR: Duration = Duration::from_secs(300);

impl Reloader {
    /// Takes one step with each file; gives the time after which the next is due.
    pub(super) async fn process_files(&mut self) -> Option<Duration> {
        loop {
            let mut due: Option<Duration> = None;
            let mut is_version_free = false;
            let paths: Vec<PathBuf> = self.files.keys().cloned().collect();
            for path in paths {
                let held = self.digest_of(&path);
                if let Some(wait) = self.process_file(&path).await {
                    due = Some(due.map_or(wait, |due| due.min(wait)));
                }
                is_version_free |= held.is_some() && held != self.digest_of(&path);
            }
            if !is_version_free {
                return due;
            }
            // What was refused may be acceptable without a version that was replaced.
            self.recheck_waiting();
        }
    }

    /// Rechecks every file that does not serve.
    pub(super) fn recheck_waiting(&mut self) {
        for file in self.files.values_mut() {
            if file.waiting.is_some() {
                file.history.recheck();
            }
        }
    }

    /// What the file serves.
    fn digest_of(&self, path: &Path) -> Option<String> {
        let accepted = self.files.get(path)?.accepted.as_ref()?;
        Some(accepted.identity().digest.clone())
    }

    /// Takes one step with one file; gives the time after which the next is due.
    pub(super) async fn process_file(&mut self, path: &Path) -> Option<Duration> {
        let confidence = match self.next_step(path).await? {
            FileStep::Rest => return None,
            FileStep::Wait(wait) => {
                self.found(path);
                self.restore(path).await;
                return Some(wait);
            }
            FileStep::Read(confidence) => confidence,
        };
        let refusal = match self.build(path).await {
            // It is looked at again when that is done, or when it changes.
            Ok(None) => {
                let later = self.shared.now() + COMPILED_BY;
                self.files.get_mut(path)?.history.retry_at(later);
                self.found(path);
                self.restore(path).await;
                return Some(self.rescan);
            }
            Ok(Some(candidate)) => {
                let serves = self.shared.current();
                let serves = serves.contains_key(&candidate.identity().digest);
                let file = self.files.get_mut(path)?;
                file.history.accept();
                file.accepted = Some(candidate);
                let before = file.waiting.take();
                // Else it is told that it serves.
                if serves {
                    self.tell_withdrawn(path, before.as_ref());
                }
                return None;
            }
            Err(refusal) => refusal,
        };
        if let Some(wait) = self.doubt(path, refusal.flaw, confidence).await? {
            self.found(path);
            self.restore(path).await;
            return Some(wait);
        }
        let pause = match refusal.reason {
            LoadError::CompileStarved(_) => STARVED_FOR.max(self.rescan),
            _ => self.rescan,
        };
        let again = self.shared.now() + pause;
        if let Some(refusal) = without_lack(refusal, lack::now) {
            return self.settle_refusal(path, refusal, again).await;
        }
        // Nothing is known of what it holds, so nothing is told of it.
        self.files.get_mut(path)?.history.retry_at(again);
        self.found(path);
        self.restore(path).await;
        Some(self.rescan)
    }

    /// A file whose content is refused: for good, or until it is judged again.
    async fn settle_refusal(
        &mut self,
        path: &Path,
        refusal: Refusal,
        again: Monotonic,
    ) -> Option<Duration> {
        let now = self.shared.now();
        let history = &mut self.files.get_mut(path)?.history;
        let may_pass = refusal.reason.may_pass();
        match may_pass {
            true => history.retry_at(again),
            false => history.refuse(now),
        }
        self.refuse(path, refusal);
        self.restore(path).await;
        may_pass.then_some(self.rescan)
    }

    /// What could not be loaded may not count yet: gives after how long to look again then. None where the file is not
    /// known any more.
    async fn doubt(
        &mut self,
        path: &Path,
        flaw: FileFlaw,
        confidence: Confidence,
    ) -> Option<Option<Duration>> {
        let seen = self.look_again(path).await;
        let (rest, now) = (self.rest, self.shared.now());
        let history = &mut self.files.get_mut(path)?.history;
        // Of a file that never rests, what was read counts although it has changed since.
        let never_rests =
            seen == Seen::Changed && history.next(&rest, now) == FileStep::Read(Confidence::Rested);
        if seen == Seen::Same || never_rests {
            return Some(history.doubt(flaw, confidence, &rest, now));
        }
        history.wait_for_settling();
        Some(Some(rest.settling))
    }

    /// What to do about a file by what it shows now: while others were built it may have changed.
    async fn next_step(&mut self, path: &Path) -> Option<FileStep> {
        let step = |reloader: &Self| {
            let now = reloader.shared.now();
            let history = &reloader.files.get(path)?.history;
            Some(history.next(&reloader.rest, now))
        };
        match step(self)? {
            FileStep::Read(_) => {
                self.look_again(path).await;
                step(self)
            }
            known => Some(known),
        }
    }

    /// Looks at a file again: whether it is another than before, or gone.
    async fn look_again(&mut self, path: &Path) -> Seen {
        let place = path.to_owned();
        let looking = tokio::task::spawn_blocking(move || file_history::look_at(&place));
        let found = looking.await.map_err(io::Error::other).flatten();
        let now = self.shared.now();
        match (found, self.files.get_mut(path)) {
            (Ok(metadata), Some(file)) => {
                let stamp = file_history::stamp(&metadata);
                match file.history.update(stamp, false, &self.rest, now) {
                    true => Seen::Changed,
                    false => Seen::Same,
                }
            }
            (Err(error), Some(_)) if error.kind() != io::ErrorKind::NotFound => Seen::Same,
            (Err(_), Some(_)) | (_, None) => Seen::Gone,
        }
    }

    /// A file that waits until it has settled.
    fn found(&mut self, path: &Path) {
        if let Some(file) = self.files.get_mut(path)
            && file.waiting.is_none()
        {
            file.waiting = Some(Waiting {
                state: PluginState::Found,
                plugin: None,
                digest: String::new(),
                reason: None,
                settings: None,
                cause: None,
            });
        }
    }

    /// A file that was refused, if it was, is refused no more.
    pub(super) fn tell_withdrawn(&self, path: &Path, before: Option<&Waiting>) {
        if let Some(before) = before
            && before.state == PluginState::Rejected
        {
            self.shared.observer.observe(PluginEvent::Withdrawn {
                file: path.to_owned(),
                plugin: before.plugin.clone(),
            });
        }
    }

    /// A file that does not serve for what it holds.
    pub(super) fn refuse(&mut self, path: &Path, refusal: Refusal) {
        let unused = refusal.unused(&self.specs);
        let Refusal {
            plugin,
            digest,
            reason,
            flaw,
        } = refusal;
        let Some(file) = self.files.get_mut(path) else {
            return;
        };
        let is_of_settings = matches!(
            reason,
            LoadError::Settings { .. } | LoadError::SettingsSchema { .. } | LoadError::Configure(_)
        );
        let settings = is_of_settings.then(|| reason.clone());
        let reason = reason.to_string();
        // How much of a file is missing changes with each piece of it that comes; that it is missing does not.
        let cause = match flaw {
            FileFlaw::Unfinished => "it is not whole".to_owned(),
            FileFlaw::Content => reason.clone(),
        };
        if let Some(reason) = unused {
            let before = file.waiting.replace(Waiting {
                state: PluginState::Unused,
                plugin,
                digest,
                reason: Some(reason),
                settings,
                cause: None,
            });
            self.tell_withdrawn(path, before.as_ref());
            return;
        }
        let before = file.waiting.replace(Waiting {
            state: PluginState::Rejected,
            plugin: plugin.clone(),
            digest,
            reason: Some(reason.clone()),
            settings,
            cause: Some(cause.clone()),
        });
        // Said once, however often it is judged again.
        if before.is_none_or(|before| before.cause.as_ref() != Some(&cause)) {
            self.shared.observer.observe(PluginEvent::Rejected {
                file: path.to_owned(),
                plugin,
                reason,
            });
        }
    }
}

/// What a file was found to be when it was looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Same,
    Changed,
    Gone,
}

/// The refusal, where it is one of the file: the host may lack something itself, by what it says or by now.
fn without_lack(refusal: Refusal, lack: impl FnOnce() -> Option<io::Error>) -> Option<Refusal> {
    let why = match &refusal.reason {
        LoadError::Lacking { .. } => Some(refusal.reason.to_string()),
        reason => lack().map(|lack| format!("{reason} (the host itself: {lack})")),
    };
    let Some(why) = why else {
        return Some(refusal);
    };
    tracing::warn!("a plugin file cannot be judged now, and is looked at again: {why}");
    None
}

#[cfg(test)]
mod tests;
