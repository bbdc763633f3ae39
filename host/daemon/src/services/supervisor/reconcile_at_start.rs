//! What the daemon before left, taken over before anything else is done.

use super::{
    Core, DEFAULT_GRACE, PreviousRun,
    decide::{self, Adopted, AtStart},
    managed::Managed,
};
use crate::ports::ProcessUpdate;
use mainstay_domain::{
    event::EventKind,
    name::TargetName,
    record::{Change, ProcessIdentity},
    severity::Severity,
    spec::ProcessSpec,
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
    fn new(left: &'a PreviousRun, found: &'a [(TargetName, ProcessIdentity)]) -> Self {
        let mut marked: HashMap<_, Vec<_>> = HashMap::new();
        for (name, identity) in found {
            marked.entry(name).or_default().push(identity);
        }
        Self {
            recorded: left
                .processes
                .iter()
                .map(|left| (&left.0, &left.1))
                .collect(),
            marked,
            paused: left.paused_targets.iter().collect(),
        }
    }
}

impl Core {
    /// Adopts what lives, tells what died, starts what never ran, ends what nobody wants any more.
    pub(super) async fn reconcile_at_start(self: &Arc<Self>) {
        let left = std::mem::take(&mut *self.left.lock());
        let users = self.all().into_iter().filter_map(|managed| {
            Some((managed.name.clone(), managed.process_spec()?.user.clone()?))
        });
        let found = self.ports.processes.find(users.collect()).await;
        let left_of = PreviousByTarget::new(&left, &found);
        let mut endings = JoinSet::new();
        for managed in self.all() {
            let Some(process) = managed.process_spec() else {
                continue;
            };
            let record = left_of.recorded.get(&managed.name).copied();
            let marked = left_of.marked.get(&managed.name);
            let paused = left.paused_host || left_of.paused.contains(&managed.name);
            let decision = decide::at_start(
                record,
                record.is_some_and(|identity| self.ports.processes.is_alive(identity)),
                marked.into_iter().flatten().copied(),
                self.ports.processes.boot_id(),
                paused,
            );
            match decision {
                AtStart::Adopt(identity) => {
                    let adopted = decide::adopted(&identity, &process);
                    self.adopt(&managed, identity, adopted);
                    if adopted == Adopted::Outdated && !paused {
                        self.renew(&managed).await;
                    }
                }
                AtStart::Start => self.start_first(managed),
                AtStart::Tell { ended, why } => {
                    endings.spawn(Arc::clone(self).report_exit(managed, process, ended, why));
                }
            }
        }
        // Many at once: what is left of their groups is looked for in one go.
        while let Some(told) = endings.join_next().await {
            if let Err(Ok(panic)) = told.map_err(JoinError::try_into_panic) {
                std::panic::resume_unwind(panic);
            }
        }
        self.end_unwanted(&left.processes, &found).await;
        let _ = self.reconciled.set(());
    }

    fn start_first(self: &Arc<Self>, managed: Arc<Managed>) {
        let core = Arc::clone(self);
        self.parts.spawn(async move {
            let _turn = managed.turn.lock().await;
            if managed.wants_process() && !core.is_closing() {
                core.launch_or_report(&managed).await;
            }
        });
    }

    async fn report_exit(
        self: Arc<Self>,
        managed: Arc<Managed>,
        process: Arc<ProcessSpec>,
        ended: Option<ProcessIdentity>,
        why: String,
    ) {
        let news = match ended {
            Some(_) => ProcessUpdate::Exited(why.clone()),
            None => ProcessUpdate::Down(why.clone()),
        };
        if let Some(identity) = &ended {
            managed.remember(identity);
        }
        if let Some(identity) = ended.filter(|identity| identity.ended.is_none()) {
            // Ends at once, and ends what is left of the group.
            self.ports
                .processes
                .stop(identity.clone(), process.grace)
                .await;
            let message = format!("{}: {why}", managed.name);
            let event = self.event(
                &managed,
                EventKind::ProcessExited,
                process.exit_severity,
                message,
            );
            let told = ProcessIdentity {
                ended: Some(why),
                ..identity
            };
            self.submit(vec![
                Change::Process(managed.name.clone(), Some(told)),
                event,
            ]);
        }
        self.ports.watch.process_changed(&managed.name, news);
    }

    /// Starts an adopted process anew, as a reload would have done.
    async fn renew(self: &Arc<Self>, managed: &Arc<Managed>) {
        // Free: nobody works on a target before all is taken over.
        let turn = Arc::clone(&managed.turn).lock_owned().await;
        let (core, managed) = (Arc::clone(self), Arc::clone(managed));
        self.parts.spawn(async move {
            let _turn = turn;
            // Where it has ended by itself, recovery decides.
            if managed.process().is_some() && !core.is_closing() {
                let why = "its config changed while no daemon was there";
                core.relaunch(&managed, why.to_owned()).await;
            }
        });
    }

    /// Ends processes of targets that the config does not name any more. It takes the turn of each, so that one which
    /// comes back meanwhile is started after the end, and its record is written after the old one is gone.
    async fn end_unwanted(
        self: &Arc<Self>,
        recorded: &[(TargetName, ProcessIdentity)],
        found: &[(TargetName, ProcessIdentity)],
    ) {
        let is_unwanted = |name: &TargetName| {
            self.get(name)
                .is_none_or(|managed| managed.process_spec().is_none())
        };
        let mut unwanted: HashMap<&TargetName, Vec<ProcessIdentity>> = HashMap::new();
        for (name, identity) in recorded.iter().chain(found) {
            if is_unwanted(name) {
                unwanted.entry(name).or_default().push(identity.clone());
            }
        }
        for (name, identities) in unwanted {
            let name = name.clone();
            // Free: nobody works on a target before all is taken over.
            let turn = Arc::clone(&self.get_or_add(&name).turn).lock_owned().await;
            let core = Arc::clone(self);
            self.parts.spawn(async move {
                let _turn = turn;
                for identity in identities {
                    if core.ports.processes.is_alive(&identity) {
                        core.ports.processes.stop(identity.clone(), DEFAULT_GRACE).await;
                        let message = format!(
                            "{name}: stopped process {}: the config has no such supervised target any more",
                            identity.pid
                        );
                        core.submit(vec![core.event_of(&name, EventKind::ProcessStopped, Severity::Low, message)]);
                    }
                }
                core.submit(vec![Change::Process(name, None)]);
            });
        }
    }
}
