//! The end of all that carries the mark of a target: what its processes left behind, also in sessions of their own, and
//! also where their leader ended while no daemon was there.
//!
//! Invariant: only while no process of the target should live: before a start, and after a stop. Who calls holds the
//! target's turn.
//! Invariant: a target of which nothing can be left costs no look at the processes of the machine, and those that are
//! looked for at the same time share one.

use super::{account, batch::Batch, mark::Marks};
use crate::ports::ProcessError;
use mainstay_domain::{name::TargetName, record::ProcessIdentity, time::Timestamp};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// How long what was killed is awaited before it counts as one that not even SIGKILL ends.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at what was killed.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A process that carries a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) target: TargetName,
    pub(super) pid: u32,
    /// As `/proc/PID/stat` has it.
    pub(super) state: char,
}

/// One target that is looked for, and who hears what was found.
type Wanted = (TargetName, oneshot::Sender<Vec<Marked>>);

/// What may be left of targets.
pub(super) struct Leftovers {
    marks: Marks,
    /// The users of targets that do not run as the daemon.
    users: Arc<Mutex<HashMap<TargetName, u32>>>,
    /// Of which something may live; none before the first look, without which nothing is ended.
    suspects: Mutex<Option<HashSet<TargetName>>>,
    looks: Batch<Wanted>,
}

impl Leftovers {
    pub(super) fn new(marks: Marks) -> Self {
        Self {
            marks,
            users: Arc::default(),
            suspects: Mutex::new(None),
            looks: Batch::default(),
        }
    }

    /// The living leaders with the mark of a target; see [`Marks::leaders`]. `users` has the names of those that targets run
    /// as, where it is not the daemon's own. From now on it is known of which targets something lives.
    pub(super) async fn find(
        &self,
        users: Vec<(TargetName, String)>,
        boot_id: String,
        now: Timestamp,
    ) -> Vec<(TargetName, ProcessIdentity)> {
        let marks = self.marks.clone();
        let scan = tokio::task::spawn_blocking(move || {
            // Many targets share few users, and each is read from files.
            let mut known: HashMap<String, Option<u32>> = HashMap::new();
            let uids = users.into_iter().filter_map(|(target, user)| {
                let find = |user: &String| Some(account::find(user).ok()?.uid.as_raw());
                // Without an account it cannot have been started under it either.
                let uid = *known.entry(user).or_insert_with_key(find);
                Some((target, uid?))
            });
            let uids: HashMap<TargetName, u32> = uids.collect();
            let leaders = marks.leaders(&boot_id, now, &uids);
            let carriers = marks.carriers(&uids, |_| true).into_iter();
            let carriers: HashSet<TargetName> = carriers.map(|marked| marked.target).collect();
            (leaders, carriers, uids)
        });
        let Ok((leaders, carriers, uids)) = scan.await else {
            return Vec::new();
        };
        self.run_as(uids);
        *self.suspects.lock() = Some(carriers);
        leaders
    }

    /// As whom the processes of targets run, where that is not as the daemon.
    pub(super) fn users(&self) -> HashMap<TargetName, u32> {
        self.users.lock().clone()
    }

    /// The users of targets, where they are not the daemon's own.
    pub(super) fn run_as(&self, users: impl IntoIterator<Item = (TargetName, u32)>) {
        self.users.lock().extend(users);
    }

    /// A process of the target is being started, or was that of another one until now.
    pub(super) fn started(&self, target: &TargetName) {
        if let Some(suspects) = &mut *self.suspects.lock() {
            suspects.insert(target.clone());
        }
    }

    fn may_have_left(&self, target: &TargetName) -> bool {
        let suspects = self.suspects.lock();
        suspects.as_ref().is_some_and(|all| all.contains(target))
    }

    /// Ends all of a target; what is still there after some seconds, not even SIGKILL ends.
    async fn end(&self, target: &TargetName) -> Vec<Marked> {
        if !self.may_have_left(target) {
            return Vec::new();
        }
        let begun = Instant::now();
        loop {
            let left = self.kill(target).await;
            if left.is_empty() {
                if let Some(suspects) = &mut *self.suspects.lock() {
                    suspects.remove(target);
                }
                self.marks.aliases().forget(target);
                return left;
            }
            if begun.elapsed() > PATIENCE {
                return left;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The same; the error names one that not even SIGKILL ends.
    pub(super) async fn end_all(&self, target: &TargetName) -> Result<(), ProcessError> {
        match self.end(target).await.first() {
            None => Ok(()),
            Some(left) => Err(ProcessError::LeftBehind {
                pid: left.pid,
                state: left.state,
            }),
        }
    }

    /// One look, which kills what it finds.
    async fn kill(&self, target: &TargetName) -> Vec<Marked> {
        let (sender, found) = oneshot::channel();
        let (marks, users) = (self.marks.clone(), Arc::clone(&self.users));
        let look = |wanted: Vec<Wanted>| async move {
            let scan = tokio::task::spawn_blocking(move || {
                let users = users.lock().clone();
                kill_all(&marks, &users, wanted);
            });
            let _ = scan.await;
        };
        self.looks.join((target.clone(), sender), look).await;
        // A scan that broke off has found nothing to end.
        found.await.unwrap_or_default()
    }
}

fn kill_all(marks: &Marks, users: &HashMap<TargetName, u32>, wanted: Vec<Wanted>) {
    let targets: HashSet<&TargetName> = wanted.iter().map(|(target, _)| target).collect();
    let mut found: HashMap<TargetName, Vec<Marked>> = HashMap::new();
    for marked in marks.carriers(users, |target| targets.contains(target)) {
        let pid = marked.pid;
        tracing::warn!(pid, target_name = %marked.target, "killing what a process of the target left behind");
        if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
            let _ = kill_process(pid, Signal::KILL);
        }
        found.entry(marked.target.clone()).or_default().push(marked);
    }
    for (target, sender) in wanted {
        // Two may ask for the same target.
        let of_it = found.get(&target).cloned().unwrap_or_default();
        // Nobody may wait for it any more.
        let _ = sender.send(of_it);
    }
}
