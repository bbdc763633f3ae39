//! Keeps supervised processes as they should be, and controls targets for the others.
//!
//! Invariant: a target has at most one living copy. Work on a target is serial. No process is started before the
//! processes of the previous daemon were looked for. Work that was begun is finished, even if its caller is gone.
//! Invariant: a process that ended by itself is not started again here. Its end is reported to the monitor, and
//! recovery decides, so every restart is a recovery with a record.
//! Invariant: the journal has a process for as long as it should live. If a daemon is killed between a start and its
//! record, the next one finds the process by its mark.

mod bounds;
mod decide;
mod ending;
mod events;
mod foreign;
mod forked;
mod held;
mod oom;
mod ordering;
mod port;
mod proof;
mod reconcile_at_start;
mod reconfigure;
mod reload;
mod renaming;
mod shutdown;
mod target;
#[cfg(test)]
mod tests;

use crate::{
    ports::{Commands, PidFiles, ProcessWatch, Processes},
    services::{next_spec::next_spec, shared::Shared, task_group::TaskGroup},
};
use mainstay_domain::{
    effect::Signal,
    name::TargetName,
    record::ProcessIdentity,
    spec::{Spec, TargetSpec},
};
use oom::OomWindow;
use parking_lot::{Mutex, RwLock};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use target::SupervisedTarget;
use tokio::{
    sync::{SetOnce, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use shutdown::Stragglers;

/// How often the size of output files is looked at, and which processes foreign services have.
const ROTATE_EVERY: Duration = Duration::from_secs(5);
/// For processes of the previous daemon whose targets are no longer in the config; the default of `grace`.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// For the same; the default of `stop_signal`.
const DEFAULT_STOP_SIGNAL: Signal = Signal::Term;

/// What the supervisor works with.
pub struct SupervisorPorts {
    /// The machine's processes.
    pub processes: Arc<dyn Processes>,
    /// For foreign services.
    pub commands: Arc<dyn Commands>,
    /// For the main processes of foreign services, and of programs that fork.
    pub pid_files: Arc<dyn PidFiles>,
    /// Is told what runs and what does not.
    pub watch: Arc<dyn ProcessWatch>,
    /// The journal keeps what must survive.
    pub shared: Shared,
    /// Where the commands of foreign services run: the directory of the config.
    pub foreign_cwd: PathBuf,
    /// When the daemon has to have ended, once it stops; where it is not set, the host's shutdown deadline counts from
    /// the stop of this service.
    pub ends_at: Arc<OnceLock<Instant>>,
}

/// What the previous daemon left; from [`crate::ports::Recovered`].
#[derive(Debug, Clone, Default)]
pub struct PreviousRun {
    /// Processes that should live.
    pub processes: Vec<(TargetName, ProcessIdentity)>,
    /// Targets that are not started now.
    pub paused_targets: Vec<TargetName>,
    /// Nothing is started now.
    pub paused_host: bool,
}

/// The service, and the handle by which others reach it; clones are the same supervisor.
#[derive(Clone)]
pub struct Supervisor {
    core: Arc<Core>,
}

struct Core {
    ports: SupervisorPorts,
    spec: watch::Receiver<Arc<Spec>>,
    previous: Mutex<PreviousRun>,
    targets: RwLock<HashMap<TargetName, Arc<SupervisedTarget>>>,
    /// Set when the processes of the previous daemon are reconciled; until then no work begins.
    reconciled: SetOnce<()>,
    closing: AtomicBool,
    /// Held while the output files are gone through; with a disk that is slow the next turn comes before that ends.
    rotating: Arc<tokio::sync::Mutex<()>>,
    /// Held while it is looked which processes foreign services have; of which config it has the services that name a pid
    /// file.
    naming: Arc<tokio::sync::Mutex<(Weak<Spec>, Vec<TargetName>)>>,
    oom: Mutex<OomWindow>,
    /// What a person keeps stopped: who, and why.
    held: Mutex<HashMap<TargetName, String>>,
    /// What reloads have to end; always closed, so that it can be waited for.
    endings: TaskTracker,
    /// Work that somebody waits for.
    tasks: TaskTracker,
    /// Work that nobody waits for, such as waiting for the end of a process.
    background: TaskGroup,
}

impl Supervisor {
    /// Touches nothing yet; [`Supervisor::run`] does.
    pub fn new(ports: SupervisorPorts, previous: PreviousRun) -> Self {
        let mut spec = ports.shared.spec.clone();
        let present = Arc::clone(&spec.borrow_and_update());
        let targets = present.targets.iter();
        let supervised = |target: &TargetSpec| {
            let supervised = SupervisedTarget::new(&target.name);
            supervised.set_spec(Some(target));
            supervised.take_applied();
            supervised
        };
        let targets = targets.map(|target| (target.name.clone(), supervised(target)));
        let endings = TaskTracker::new();
        endings.close();
        Self {
            core: Arc::new(Core {
                ports,
                spec,
                previous: Mutex::new(previous),
                targets: RwLock::new(targets.collect()),
                reconciled: SetOnce::new(),
                closing: AtomicBool::new(false),
                rotating: Arc::default(),
                naming: Arc::default(),
                oom: Mutex::default(),
                held: Mutex::default(),
                endings,
                tasks: TaskTracker::new(),
                background: TaskGroup::default(),
            }),
        }
    }

    /// Reconciles what the previous daemon left, keeps processes as the config says, and on `stop` stops or leaves
    /// them as each target says. The error names what did not stop within the shutdown deadline of the host.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Stragglers> {
        let core = self.core;
        let mut spec = core.spec.clone();
        let mut applied = Arc::clone(&core.spec.borrow());
        core.reconcile_at_start().await;
        let mut rotation = tokio::time::interval(ROTATE_EVERY);
        rotation.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => break,
                // The end of a process would be missed, or a target never be worked on again.
                panic = core.background.first_panic() => std::panic::resume_unwind(panic),
                present = next_spec(&mut spec) => {
                    core.reconfigure(&present);
                    applied = present;
                }
                _ = rotation.tick() => {
                    core.oom.lock().look(core.ports.processes.oom_kills());
                    core.rotate();
                    core.name_foreign(&applied);
                    core.forget_gone();
                }
            }
        }
        core.closing.store(true, Ordering::SeqCst);
        let deadline = core.spec.borrow().host.shutdown_deadline;
        let end = core.ports.ends_at.get().copied();
        core.shut_down(end.unwrap_or_else(|| Instant::now() + deadline), deadline)
            .await
    }
}

impl Core {
    fn get(&self, target: &TargetName) -> Option<Arc<SupervisedTarget>> {
        let targets = self.targets.read();
        targets
            .get(target)
            .filter(|supervised| supervised.is_listed())
            .cloned()
    }

    /// The target, listed or not.
    fn get_or_add(&self, target: &TargetName) -> Arc<SupervisedTarget> {
        let mut targets = self.targets.write();
        let supervised = targets.entry(target.clone());
        Arc::clone(supervised.or_insert_with(|| SupervisedTarget::new(target)))
    }

    fn all(&self) -> Vec<Arc<SupervisedTarget>> {
        let targets = self.targets.read();
        targets.values().cloned().collect()
    }

    fn running(&self) -> Vec<Arc<SupervisedTarget>> {
        let targets = self.targets.read();
        let running = targets.values().filter(|supervised| supervised.runs());
        running.cloned().collect()
    }

    /// Forgets targets that the config has no more and of which nothing lives, where nobody works on them or waits to. One
    /// that returns later is a new one.
    fn forget_gone(&self) {
        let listed = self.spec.borrow().targets.len();
        let mut targets = self.targets.write();
        // Each of the config is here: where there are no more of them none is gone.
        if targets.len() <= listed {
            return;
        }
        // Who has one got it from here, so with one owner it stays the only one.
        let is_gone = |supervised: &mut Arc<SupervisedTarget>| {
            Arc::strong_count(supervised) == 1 && supervised.is_gone()
        };
        for (name, _) in targets.extract_if(|_, supervised| is_gone(supervised)) {
            self.ports.processes.forget(&name);
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// One file after the other: all at once would take every thread there is.
    fn rotate(self: &Arc<Self>) {
        let Ok(turn) = Arc::clone(&self.rotating).try_lock_owned() else {
            return;
        };
        let core = Arc::clone(self);
        self.background.spawn(async move {
            let _turn = turn;
            for supervised in core.running() {
                if core.is_closing() {
                    return;
                }
                let (Some(process), Some(identity)) =
                    (supervised.process_spec(), supervised.process())
                else {
                    continue;
                };
                if let Err(error) = core
                    .ports
                    .processes
                    .rotate(&supervised.name, &process, &identity)
                    .await
                {
                    tracing::warn!(target_name = %supervised.name, %error, "the log grows on");
                }
                if let Some(moved) = core.ports.processes.moved_log(&supervised.name) {
                    core.warn(&supervised, format!("{}: {moved}", supervised.name));
                }
            }
        });
    }
}
