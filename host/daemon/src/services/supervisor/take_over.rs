//! What the daemon before left, taken over before anything else is done.

use super::{
    Core, DEFAULT_GRACE,
    decide::{self, AtStart},
    locked,
    managed::Managed,
};
use crate::ports::ProcessNews;
use mainstay_domain::{
    event::EventKind,
    journal::{Change, ProcessIdentity},
    name::TargetName,
    severity::Severity,
    spec::ProcessSpec,
};
use std::{collections::HashSet, sync::Arc};

impl Core {
    /// Adopts what lives, tells what died, starts what never ran, ends what nobody wants any more.
    pub(super) async fn take_over(self: &Arc<Self>) {
        let left = std::mem::take(&mut *locked(&self.left));
        let users = self
            .all()
            .into_iter()
            .filter_map(|managed| Some((managed.name.clone(), managed.process_spec()?.user?)));
        let found = self.ports.processes.find(users.collect()).await;
        for managed in self.all() {
            let Some(process) = managed.process_spec() else {
                continue;
            };
            let record = left
                .processes
                .iter()
                .find(|(name, _)| *name == managed.name);
            let record = record.map(|(_, identity)| identity);
            let marked = found.iter().filter(|(name, _)| *name == managed.name);
            let paused = left.paused_host || left.paused_targets.contains(&managed.name);
            let decision = decide::at_start(
                record,
                record.is_some_and(|identity| self.ports.processes.is_alive(identity)),
                marked.map(|(_, identity)| identity),
                self.ports.processes.boot_id(),
                paused,
            );
            self.take_over_one(&managed, &process, decision, paused)
                .await;
        }
        self.end_unwanted(&left.processes, &found).await;
        let _ = self.taken_over.set(());
    }

    async fn take_over_one(
        self: &Arc<Self>,
        managed: &Arc<Managed>,
        process: &ProcessSpec,
        decision: AtStart,
        paused: bool,
    ) {
        match decision {
            AtStart::Adopt(identity) => {
                let is_outdated = decide::is_outdated(&identity, process);
                self.adopt(managed, identity, is_outdated);
                if is_outdated && !paused {
                    self.renew(managed).await;
                }
            }
            AtStart::Start => {
                let (core, managed) = (Arc::clone(self), Arc::clone(managed));
                self.parts.spawn(async move {
                    let _turn = managed.turn.lock().await;
                    if managed.wants_process() && !core.is_closing() {
                        core.launch_or_tell(&managed).await;
                    }
                });
            }
            AtStart::Tell { ended, why } => {
                let news = match ended {
                    Some(_) => ProcessNews::Exited(why.clone()),
                    None => ProcessNews::Down(why.clone()),
                };
                if let Some(identity) = ended {
                    // Ends at once, and ends what is left of the group.
                    self.ports
                        .processes
                        .stop(identity.clone(), process.grace)
                        .await;
                    managed.remember(&identity);
                    let message = format!("{}: {why}", managed.name);
                    let event = self.event(
                        managed,
                        EventKind::ProcessExited,
                        process.exit_severity,
                        message,
                    );
                    self.submit(vec![event]);
                }
                self.ports.watch.process_is(&managed.name, news);
            }
        }
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
        let names: HashSet<_> = recorded.iter().chain(found).map(|(name, _)| name).collect();
        for name in names.into_iter().filter(|name| is_unwanted(name)).cloned() {
            let all = recorded.iter().chain(found).filter(|(of, _)| *of == name);
            let identities: Vec<_> = all.map(|(_, identity)| identity.clone()).collect();
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
