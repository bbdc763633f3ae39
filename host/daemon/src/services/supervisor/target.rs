//! One target and the work on it.
//!
//! Invariant: the functions of [`Core`] here are called with the target's `turn` held.

mod config;
mod launch;
mod lifecycle;
mod state;
mod stop;
mod unended;
mod watch;

use super::{Core, decide::Adopted, ending::end_of};
use crate::ports::{Exit, NotStarted, ProcessUpdate};
use config::Listing;
use launch::Way;
use lifecycle::Lifecycle;
use mainstay_domain::{
    event::EventKind,
    name::TargetName,
    record::{Change, ProcessIdentity},
    severity::Severity,
    spec::{ForeignCommands, ProcessSpec},
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use stop::Stop;
use tokio::{sync::Notify, time::Instant};

pub(super) use lifecycle::{After, Intent};

/// How a process came under this daemon's watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Began {
    /// This daemon started it.
    Started,
    /// An earlier one did, or a program that forks.
    Adopted,
}

pub(super) struct SupervisedTarget {
    pub(super) name: TargetName,
    /// Held by who works on it.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// Notified when it has a process.
    pub(super) runs_now: Notify,
    state: Mutex<State>,
}

struct State {
    /// Whether the target is in the config, and as what. A removed target stays here until its process has ended.
    listing: Listing,
    /// Of the last config that had it.
    commands: ForeignCommands,
    /// What the process was last started with, or was to be.
    applied: Option<Arc<ProcessSpec>>,
    /// How its process ends, by the config that it was last started or kept with; still valid after the target left the
    /// config.
    stop: Stop,
    /// Whether it should run.
    intent: Intent,
    /// Where its process stands.
    lifecycle: Lifecycle,
    /// A stop gave its process up.
    unended: bool,
    /// A start was given up and has not ended.
    start_hangs: bool,
    /// How often it was started before, of a foreign service by its commands; none if it never was.
    restarts: Option<u32>,
    /// Why the commands of a foreign service did not start it the last time.
    not_started: Option<NotStarted>,
    /// The process that the pid file of a foreign service was seen to name.
    service_pid: Option<u32>,
    /// When it was first started, adopted or found to be down; of a foreign service, when the config first had it.
    began: Option<Instant>,
    /// Its last process ended as its config expects.
    completed: bool,
    /// How often its process ended by itself otherwise than that, and how the last time.
    bad_ends: (u64, String),
    /// The bounds of its last process do not hold.
    unbounded: bool,
    /// What keeps its process from running, on the way to its start.
    way: Way,
}

impl SupervisedTarget {
    /// Not in the config until [`SupervisedTarget::set_spec`].
    pub(super) fn new(name: &TargetName) -> Arc<Self> {
        Arc::new(Self {
            name: name.clone(),
            turn: Arc::default(),
            runs_now: Notify::new(),
            state: Mutex::new(State {
                listing: Listing::Unlisted,
                commands: ForeignCommands::default(),
                applied: None,
                stop: Stop::DEFAULT,
                intent: Intent::Run,
                lifecycle: Lifecycle::Down,
                unended: false,
                start_hangs: false,
                restarts: None,
                not_started: None,
                service_pid: None,
                began: None,
                completed: false,
                bad_ends: (0, String::new()),
                unbounded: false,
                way: Way::default(),
            }),
        })
    }
}

impl Core {
    /// Stops it, and starts it with the present config.
    pub(super) async fn relaunch(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
        why: String,
    ) {
        let stopped = self
            .stop_process(supervised, Some(why), After::StartsAgain)
            .await;
        // What cannot be stopped is told; it is started when it has ended.
        if stopped.is_ok() && !self.is_closing() {
            self.launch_or_report(supervised).await;
        }
    }

    /// Takes over a process that an earlier daemon started, or that of a target `was` that is called otherwise now.
    pub(super) fn adopt(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
        identity: ProcessIdentity,
        adopted: Adopted,
        was: Option<&TargetName>,
    ) {
        supervised.begin();
        let of = was.map(|was| format!(" of {was}, which has this name now"));
        let since = match adopted {
            Adopted::Outdated => ", which was started with another config",
            Adopted::UpToDate => "",
        };
        let message = format!(
            "{}: adopted process {}{}{since}",
            supervised.name,
            identity.pid,
            of.unwrap_or_default()
        );
        // In one transaction: the process is of one target.
        let names = was.map(|was| self.names_change(was, &supervised.name, identity.pid));
        let (kind, names) = (EventKind::ProcessAdopted, names.unwrap_or_default());
        self.record_running(supervised, identity, kind, message, names);
    }

    fn record_running(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
        identity: ProcessIdentity,
        kind: EventKind,
        message: String,
        mut changes: Vec<Change>,
    ) {
        {
            let mut state = supervised.state.lock();
            state.lifecycle.begin(identity.clone());
            state.restarts = Some(identity.restarts);
            state.completed = false;
        }
        // Before the event: who has seen that sees this too.
        self.ports.watch.row_changed(&supervised.name);
        changes.extend([
            Change::Process(supervised.name.clone(), Some(identity.clone())),
            self.process_event(supervised, kind, Severity::Low, message, &identity),
        ]);
        self.submit(changes);
        let (news, began) = match kind {
            EventKind::ProcessStarted => {
                (ProcessUpdate::Started(Some(identity.pid)), Began::Started)
            }
            _ => (ProcessUpdate::Runs(Some(identity.pid)), Began::Adopted),
        };
        self.ports.watch.process_changed(&supervised.name, news);
        supervised.runs_now.notify_waiters();
        let (core, supervised) = (Arc::clone(self), Arc::clone(supervised));
        self.background
            .spawn(async move { core.watch_end(supervised, identity, began).await });
    }

    /// Ends the process where there is one, and all that carries the target's mark. The error is a sentence for people on
    /// what not even SIGKILL ends, and was told.
    pub(super) async fn stop_process(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
        why: Option<String>,
        after: After,
    ) -> Result<(), String> {
        self.stop_within(supervised, why, after, Duration::MAX)
            .await
    }

    /// The same, with no more grace than `longest`.
    pub(super) async fn stop_within(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
        why: Option<String>,
        after: After,
        longest: Duration,
    ) -> Result<(), String> {
        let (process, stop) = supervised.begin_stop();
        self.ports
            .watch
            .process_changed(&supervised.name, ProcessUpdate::Stopped);
        let ended = match process {
            Some(identity) => {
                let processes = &self.ports.processes;
                let grace = stop.grace.min(longest);
                let mut exit = processes.stop(identity.clone(), stop.signal, grace).await;
                if let Exit::Unended { state } = exit {
                    exit = match self.give_up(supervised, &identity).await {
                        Some(exit) => exit,
                        None => return Err(self.tell_unended(supervised, &identity, state)),
                    };
                }
                if let Err(left) = self.end_left(supervised, &identity, grace).await {
                    return Err(self.give_up_left(supervised, left));
                }
                Some((identity, exit))
            }
            None => None,
        };
        let rest = self.ports.processes.end_rest(&supervised.name).await;
        supervised.state.lock().lifecycle.end_stop();
        self.ports.watch.row_changed(&supervised.name);
        if let Some((identity, exit)) = ended {
            let end = end_of(&identity, exit, self.age_of(&identity));
            let because = why.map(|why| format!("; {why}")).unwrap_or_default();
            let message = format!("{}: stopped: {end}{because}", supervised.name);
            self.submit(vec![self.process_event(
                supervised,
                EventKind::ProcessStopped,
                Severity::Low,
                message,
                &identity,
            )]);
        }
        if after == After::StaysDown {
            self.submit(vec![Change::Process(supervised.name.clone(), None)]);
        }
        rest.map_err(|rest| {
            let why = format!("{}: {rest}", supervised.name);
            self.tell_down(supervised, &why);
            why
        })
    }
}
