//! Reconciles what the previous daemon left, before anything else is done.

use super::{
    Core, DEFAULT_GRACE, DEFAULT_STOP_SIGNAL, PreviousRun,
    decide::{self, Adopted, AtStart},
    ending::NOBODY_KNOWS,
    target::SupervisedTarget,
};
use crate::ports::{Exit, ProcessUpdate, unended};
use mainstay_domain::{
    event::EventKind,
    name::TargetName,
    record::{Change, ProcessIdentity},
    severity::Severity,
    spec::{ProcessSpec, RestartPolicy},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::task::{JoinError, JoinSet};

/// What was left, by target.
struct PreviousByTarget<'a> {
    recorded: HashMap<&'a TargetName, &'a ProcessIdentity>,
    /// Oldest first.
    marked: HashMap<&'a TargetName, Vec<&'a ProcessIdentity>>,
    paused: HashSet<&'a TargetName>,
}

impl<'a> PreviousByTarget<'a> {
    fn new(previous: &'a PreviousRun, found: &'a [(TargetName, ProcessIdentity)]) -> Self {
        let mut marked: HashMap<_, Vec<_>> = HashMap::new();
        for (name, identity) in found {
            marked.entry(name).or_default().push(identity);
        }
        Self {
            recorded: previous
                .processes
                .iter()
                .map(|previous| (&previous.0, &previous.1))
                .collect(),
            marked,
            paused: previous.paused_targets.iter().collect(),
        }
    }
}

impl Core {
    /// Adopts what lives, tells what died, starts what never ran, ends what nobody wants any more.
    pub(super) async fn reconcile_at_start(self: &Arc<Self>) {
        let mut previous = std::mem::take(&mut *self.previous.lock());
        let renamed = self.rename_at_start(&mut previous.processes).await;
        let users = self.all().into_iter().filter_map(|supervised| {
            Some((
                supervised.name.clone(),
                supervised.process_spec()?.user.clone()?,
            ))
        });
        let found = self.ports.processes.find(users.collect()).await;
        let previous_by_target = PreviousByTarget::new(&previous, &found);
        let left_unrecorded = self.all_left_unrecorded(&previous_by_target).await;
        let mut endings = JoinSet::new();
        for supervised in self.all() {
            let Some(process) = supervised.process_spec() else {
                continue;
            };
            let record = previous_by_target.recorded.get(&supervised.name).copied();
            let record = left_unrecorded.get(&supervised.name).or(record);
            let marked = previous_by_target.marked.get(&supervised.name);
            let paused =
                previous.paused_host || previous_by_target.paused.contains(&supervised.name);
            let at_start = decide::at_start(
                record,
                record.is_some_and(|identity| self.ports.processes.is_alive(identity)),
                marked.into_iter().flatten().copied(),
                self.ports.processes.boot_id(),
                paused,
            );
            let was = renamed.get(&supervised.name);
            if let Some(was) = was
                && !matches!(at_start, AtStart::Adopt(_))
            {
                self.submit(vec![Change::Process(was.clone(), None)]);
            }
            let is_held = self.held(&supervised.name).is_some();
            match at_start {
                AtStart::Adopt(identity) => {
                    let adopted = decide::adopted(&identity, &process);
                    self.adopt(&supervised, identity, adopted, was);
                    if is_held {
                        self.stop_held(&supervised).await;
                    } else if adopted == Adopted::Outdated && !paused {
                        self.renew(&supervised).await;
                    }
                }
                AtStart::Start | AtStart::Report { .. } if is_held => {
                    supervised.begin();
                    self.stop_held(&supervised).await;
                }
                AtStart::Start => self.start_first(supervised),
                AtStart::Report { ended, why } => {
                    endings.spawn(Arc::clone(self).report_exit(supervised, process, ended, why));
                }
            }
        }
        // Many at once: what is left of their groups is looked for in one go.
        while let Some(ended) = endings.join_next().await {
            if let Err(Ok(panic)) = ended.map_err(JoinError::try_into_panic) {
                std::panic::resume_unwind(panic);
            }
        }
        self.end_unwanted(&previous.processes, &found).await;
        self.look_at_foreign();
        let _ = self.reconciled.set(());
    }

    /// What each program that forks left; all at once, for a pid file may be on a file system that does not answer.
    async fn all_left_unrecorded(
        self: &Arc<Self>,
        previous: &PreviousByTarget<'_>,
    ) -> HashMap<TargetName, ProcessIdentity> {
        let mut looks = JoinSet::new();
        for supervised in self.all() {
            let process = supervised.process_spec();
            let Some(process) = process.filter(|process| process.pid_file.is_some()) else {
                continue;
            };
            let record = previous.recorded.get(&supervised.name).copied().cloned();
            let core = Arc::clone(self);
            looks.spawn(async move {
                let name = supervised.name.clone();
                let left = core.left_unrecorded(&name, &process, record.as_ref()).await;
                left.map(|left| (name, left))
            });
        }
        looks.join_all().await.into_iter().flatten().collect()
    }

    /// What the first process of a program that forks left, where the daemon was killed before it could write that down.
    async fn left_unrecorded(
        &self,
        name: &TargetName,
        process: &ProcessSpec,
        record: Option<&ProcessIdentity>,
    ) -> Option<ProcessIdentity> {
        let file = process.pid_file.as_deref()?;
        let processes = &self.ports.processes;
        if record.is_some_and(|record| processes.is_alive(record)) {
            return None;
        }
        let of_this_boot = record.filter(|record| record.boot_id == processes.boot_id());
        if let Some(record) = of_this_boot.filter(|record| record.ended.is_none())
            && let Ok(Some(left)) = self.named_after(file, record).await
        {
            return Some(left);
        }
        // Of a start of which nothing was written down. What the recorded one's start left is for recovery.
        let named = self.ports.pid_files.named(file.to_owned()).await.ok()??;
        let start = |identity: &ProcessIdentity| (identity.started_at, identity.restarts);
        let marked = processes.marked(name, named).await?;
        let is_other = of_this_boot.is_none_or(|record| start(record) != start(&marked));
        is_other.then_some(marked)
    }

    /// Sees what the pid files of foreign services name while the clock is as it was when they were written. Nobody waits
    /// for it.
    fn look_at_foreign(self: &Arc<Self>) {
        let foreign = self.all().into_iter();
        let foreign = foreign.filter(|supervised| supervised.process_spec().is_none());
        for file in foreign.filter_map(|supervised| supervised.commands().pid_file) {
            let look = self.ports.pid_files.named(file);
            self.background.spawn(async move {
                // What is wrong with it is told when it is needed.
                let _ = look.await;
            });
        }
    }

    async fn report_exit(
        self: Arc<Self>,
        supervised: Arc<SupervisedTarget>,
        process: Arc<ProcessSpec>,
        ended: Option<ProcessIdentity>,
        why: String,
    ) {
        let is_unknown = ended.as_ref().is_some_and(|one| one.ended.is_none());
        let is_done = is_unknown && self.is_one_shot(&supervised.name);
        let completed = is_done
            || (process.restart != RestartPolicy::Always
                && ended.as_ref().is_some_and(|identity| identity.completed));
        let why = match is_done {
            true => format!("{why}{NOBODY_KNOWS}"),
            false => why,
        };
        let news = match ended {
            Some(_) if completed => ProcessUpdate::Completed,
            Some(_) => ProcessUpdate::Exited(why.clone()),
            None => ProcessUpdate::Down(why.clone()),
        };
        if let Some(identity) = &ended {
            supervised.remember(identity, completed);
        }
        if let Some(identity) = ended.filter(|identity| identity.ended.is_none()) {
            // Ends at once, and ends what is left of the group.
            self.ports
                .processes
                .stop(identity.clone(), process.stop_signal, process.grace)
                .await;
            let message = format!("{}: {why}", supervised.name);
            let severity = match completed {
                true => Severity::Low,
                false => process.exit_severity,
            };
            let event = self.event(&supervised, EventKind::ProcessExited, severity, message);
            let ended = ProcessIdentity {
                ended: Some(why),
                completed,
                ..identity
            };
            self.submit(vec![
                Change::Process(supervised.name.clone(), Some(ended)),
                event,
            ]);
        }
        self.ports.watch.has_ended(&supervised.name).await;
        self.ports.watch.process_changed(&supervised.name, news);
        supervised.begin();
    }

    /// Starts an adopted process anew, as a reload would have done.
    async fn renew(self: &Arc<Self>, supervised: &Arc<SupervisedTarget>) {
        // Free: nobody works on a target before all is reconciled.
        let turn = Arc::clone(&supervised.turn).lock_owned().await;
        let (core, supervised) = (Arc::clone(self), Arc::clone(supervised));
        self.background.spawn(async move {
            let _turn = turn;
            // Where it has ended by itself, recovery decides.
            if supervised.process().is_some() && !core.is_closing() {
                let why = "its config changed while no daemon was there";
                core.relaunch(&supervised, why.to_owned()).await;
            }
        });
    }

    /// Ends processes of targets that are no longer in the config. Holds the turn of each, so that a target which
    /// returns meanwhile is started after this.
    async fn end_unwanted(
        self: &Arc<Self>,
        recorded: &[(TargetName, ProcessIdentity)],
        found: &[(TargetName, ProcessIdentity)],
    ) {
        let is_unwanted = |name: &TargetName| {
            self.get(name)
                .is_none_or(|supervised| supervised.process_spec().is_none())
        };
        let mut unwanted: HashMap<&TargetName, Vec<ProcessIdentity>> = HashMap::new();
        for (name, identity) in recorded.iter().chain(found) {
            if is_unwanted(name) {
                unwanted.entry(name).or_default().push(identity.clone());
            }
        }
        for (name, identities) in unwanted {
            let name = name.clone();
            // Free: nobody works on a target before all is reconciled.
            let turn = Arc::clone(&self.get_or_add(&name).turn).lock_owned().await;
            let core = Arc::clone(self);
            self.background.spawn(self.endings.track_future(async move {
                let _turn = turn;
                let mut lives_on = false;
                for identity in identities {
                    if core.ports.processes.is_alive(&identity) {
                        let exit = core.ports.processes.stop(identity.clone(), DEFAULT_STOP_SIGNAL, DEFAULT_GRACE).await;
                        if let Exit::Unended { state } = exit {
                            let why = unended(identity.pid, state);
                            tracing::error!(target_name = %name, "{why}; the config has no such supervised target any more");
                            lives_on = true;
                            continue;
                        }
                        let message = format!(
                            "{name}: stopped process {}: the config has no such supervised target any more",
                            identity.pid
                        );
                        core.submit(vec![core.event_of(&name, EventKind::ProcessStopped, Severity::Low, message)]);
                    }
                }
                if let Err(error) = core.ports.processes.end_rest(&name).await {
                    tracing::error!(target_name = %name, %error, "a target that the config has no more lives on");
                }
                // The next daemon tries again with what is written down.
                if !lives_on {
                    core.submit(vec![Change::Process(name, None)]);
                }
            }));
        }
    }
}
