//! A target that is called otherwise in another config and runs the same: its process goes on under the new name.
//!
//! Invariant: only a process that runs is taken over, and what takes it over runs the very same. Otherwise the one ends, and
//! then the other begins.
//! Invariant: a process is of one target: one transaction takes it from the old name and gives it to the new one.

use super::{
    Core,
    decide::{self, Adopted},
    target::SupervisedTarget,
};
use mainstay_domain::{
    event::{Event, EventKind, TargetRenamed},
    name::TargetName,
    record::{Change, ProcessIdentity},
    severity::Severity,
    spec::ProcessSpec,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Takes the targets that another config only calls otherwise out of those that end and those that start: each with what
/// it becomes.
pub(super) fn take_renamed(
    ending: &mut Vec<Arc<SupervisedTarget>>,
    starting: &mut Vec<Arc<SupervisedTarget>>,
) -> Vec<(Arc<SupervisedTarget>, Arc<SupervisedTarget>)> {
    let gone = ending.iter().filter_map(|supervised| {
        let process = supervised.applied()?;
        let is_gone = !supervised.is_listed() && supervised.runs();
        let likeness = is_gone.then(|| decide::likeness(&process))?;
        Some((likeness?, supervised.name.clone()))
    });
    let gone: Vec<_> = gone.collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let new = starting.iter().filter_map(|supervised| {
        let is_new = supervised.applied().is_none() && !supervised.runs();
        let process = supervised.process_spec().filter(|_| is_new)?;
        Some((decide::likeness(&process)?, supervised.name.clone()))
    });
    let pairs = decide::renames(gone, new.collect());
    let (from, to): (HashSet<_>, HashSet<_>) = pairs.iter().cloned().unzip();
    let mut old = take(ending, &from);
    let mut new = take(starting, &to);
    let pairs = pairs.into_iter();
    let renamed = pairs.filter_map(|(from, to)| Some((old.remove(&from)?, new.remove(&to)?)));
    renamed.collect()
}

/// Takes those with these names out.
fn take(
    all: &mut Vec<Arc<SupervisedTarget>>,
    names: &HashSet<TargetName>,
) -> HashMap<TargetName, Arc<SupervisedTarget>> {
    let (taken, rest): (Vec<_>, Vec<_>) = std::mem::take(all)
        .into_iter()
        .partition(|supervised| names.contains(&supervised.name));
    *all = rest;
    let taken = taken.into_iter();
    taken
        .map(|supervised| (supervised.name.clone(), supervised))
        .collect()
}

impl Core {
    /// Has the process of one target go on as that of another one; where that cannot be it is ended, and the other one is
    /// to be started. Whether it goes on.
    pub(super) async fn rename(
        self: &Arc<Self>,
        old: &Arc<SupervisedTarget>,
        new: &Arc<SupervisedTarget>,
    ) -> bool {
        // In the order of their names: the next config may rename the other way round.
        let (first, second) = match old.name < new.name {
            true => (old, new),
            false => (new, old),
        };
        let _first = first.turn.lock().await;
        let _second = second.turn.lock().await;
        let is_kept = self.take_over(old, new).await;
        if !is_kept {
            self.apply_config(old).await;
        }
        is_kept
    }

    async fn take_over(
        self: &Arc<Self>,
        old: &Arc<SupervisedTarget>,
        new: &Arc<SupervisedTarget>,
    ) -> bool {
        let (Some(identity), Some(started_with)) = (old.process(), old.applied()) else {
            return false;
        };
        // Another config may have come meanwhile.
        let Some(process) = new.process_spec().filter(|_| !old.is_listed()) else {
            return false;
        };
        let likeness = decide::likeness(&process);
        let is_same = likeness.is_some()
            && decide::likeness(&started_with) == likeness
            && decide::adopted(&identity, &process) == Adopted::UpToDate;
        if !is_same || new.runs() || self.is_closing() {
            return false;
        }
        if !self
            .hand_over(&identity, &old.name, &new.name, &process)
            .await
            || !old.release(&identity)
        {
            return false;
        }
        let identity = renamed(identity, &old.name, &new.name);
        self.ports.processes.carries_mark(&new.name, &identity);
        new.take_applied();
        self.adopt(new, identity, Adopted::UpToDate, Some(&old.name));
        true
    }

    /// What is written down where a process is that of another name from now on: it is of the old one no more, and who
    /// looks for either name is told of the other.
    pub(super) fn names_change(&self, from: &TargetName, to: &TargetName, pid: u32) -> Vec<Change> {
        let at = self.ports.shared.clock.now();
        let event = |of: &TargetName, message: String| {
            let data = TargetRenamed {
                from: from.clone(),
                to: to.clone(),
            };
            let event = Event::new(EventKind::TargetRenamed, Severity::Low, at, message);
            Change::Event(event.with_target(of).with_data(data))
        };
        let goes_on = format!("and its process {pid} goes on");
        vec![
            Change::Process(from.clone(), None),
            event(from, format!("{from}: it is called {to} now, {goes_on}")),
            event(to, format!("{to}: it was called {from} before, {goes_on}")),
        ]
    }

    /// Gives what belongs to a process the new name; whether that could be done.
    async fn hand_over(
        &self,
        identity: &ProcessIdentity,
        from: &TargetName,
        to: &TargetName,
        process: &ProcessSpec,
    ) -> bool {
        let renamed = self.ports.processes.rename(identity, from, to, process);
        match renamed.await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%from, %to, %error, "a target that has another name now ends, and is started under that");
                false
            }
        }
    }

    /// The same for targets that were renamed while no daemon was there: their records are of the new names from here on.
    /// By the new name, the old one. Before any look at marks, for it makes known which of them name others by now.
    pub(super) async fn rename_at_start(
        &self,
        processes: &mut [(TargetName, ProcessIdentity)],
    ) -> HashMap<TargetName, TargetName> {
        let mut found = HashMap::new();
        for (from, to) in self.renames_at_start(processes) {
            let supervised = self.get(&to);
            let process = supervised.and_then(|supervised| supervised.process_spec());
            let mut records = processes.iter_mut();
            let record = records.find(|(name, _)| *name == from);
            let (Some(process), Some((name, identity))) = (process, record) else {
                continue;
            };
            if self.hand_over(identity, &from, &to, &process).await {
                *identity = renamed(identity.clone(), &from, &to);
                *name = to.clone();
                found.insert(to, from);
            }
        }
        for (name, identity) in processes.iter() {
            self.ports.processes.writes_to(name, identity);
            if identity.marked_as.is_some() {
                self.ports.processes.carries_mark(name, identity);
            }
        }
        found
    }

    fn renames_at_start(
        &self,
        processes: &[(TargetName, ProcessIdentity)],
    ) -> Vec<(TargetName, TargetName)> {
        let gone = processes.iter().filter_map(|(name, identity)| {
            let is_gone = identity.ended.is_none()
                && self.get(name).is_none()
                && self.ports.processes.is_alive(identity);
            let config = identity.config.clone().filter(|_| is_gone)?;
            Some((config, name.clone()))
        });
        let gone: Vec<_> = gone.collect();
        if gone.is_empty() {
            return Vec::new();
        }
        let recorded: HashSet<&TargetName> = processes.iter().map(|(name, _)| name).collect();
        let new = self.all().into_iter().filter_map(|supervised| {
            let is_new = !recorded.contains(&supervised.name);
            let process = supervised.process_spec().filter(|_| is_new)?;
            if decide::is_bounded(&process) {
                return None;
            }
            Some((decide::digest(&process)?, supervised.name.clone()))
        });
        decide::renames(gone, new.collect())
    }
}

/// The process, as that of the new name.
fn renamed(identity: ProcessIdentity, from: &TargetName, to: &TargetName) -> ProcessIdentity {
    let marked_as = identity.marked_as.unwrap_or_else(|| from.clone());
    ProcessIdentity {
        // It may have been renamed back.
        marked_as: Some(marked_as).filter(|marked_as| marked_as != to),
        ..identity
    }
}
