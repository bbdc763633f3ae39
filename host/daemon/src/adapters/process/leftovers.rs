//! The end of all that carries the mark of a target: what its processes left behind, also in sessions of their own, and
//! also where their leader ended while no daemon was there.
//!
//! Invariant: only while no process of the target should live: before a start, and after a stop. Who calls holds the
//! target's turn.
//! Invariant: a target of which nothing can be left costs no look at the processes of the machine, and those that are
//! looked for at the same time share one.
//! Invariant: what is looked for when a process ended is not looked for again before the next start, where nothing was
//! found: nothing that is gone leaves anything behind.
//! Invariant: a look that cannot be done, for want of descriptors say, is done again; it never means that nothing is left.

mod scan;

use super::{account, batch::Batch, mark::Marks};
use crate::{
    adapters::limits,
    ports::{AccountError, ProcessError},
};
use futures_util::FutureExt;
use mainstay_domain::{name::TargetName, record::ProcessIdentity, time::Timestamp};
use parking_lot::Mutex;
use scan::{Found, Unseen, Wanted, look_for_all};
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// How long what was killed is awaited before it counts as one that not even SIGKILL ends.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at what was killed.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Between two tries where the daemon lacks what a look needs.
const RETRY: Duration = Duration::from_millis(200);

/// A process that carries a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) target: TargetName,
    pub(super) pid: u32,
    /// The clock ticks after boot at which it was started.
    pub(super) start_ticks: u64,
    /// As `/proc/PID/stat` has it.
    pub(super) state: char,
}

/// What may be left of targets.
pub(super) struct Leftovers {
    marks: Marks,
    /// The users of targets that do not run as the daemon.
    users: Arc<Mutex<HashMap<TargetName, u32>>>,
    /// Of which something may live, with the number of the last start; none before the first look, without which nothing
    /// is ended.
    suspects: Mutex<Option<HashMap<TargetName, u64>>>,
    starts: AtomicU64,
    /// The looks that began when a process ended, for who starts or ends the target next.
    ahead: Mutex<HashMap<TargetName, oneshot::Receiver<()>>>,
    looks: Batch<Wanted>,
}

impl Leftovers {
    pub(super) fn new(marks: Marks) -> Self {
        Self {
            marks,
            users: Arc::default(),
            suspects: Mutex::new(None),
            starts: AtomicU64::new(0),
            ahead: Mutex::default(),
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
        let users = Arc::new(users);
        let (leaders, carriers, uids) = loop {
            let (marks, users, boot_id) = (self.marks.clone(), Arc::clone(&users), boot_id.clone());
            let scan = tokio::task::spawn_blocking(move || {
                let uids = uids_of(&users)?;
                let leaders = marks.leaders(&boot_id, now, &uids)?;
                let carriers = marks.carriers(&uids, |_| true)?.into_iter();
                let carriers: HashMap<TargetName, u64> =
                    carriers.map(|marked| (marked.target, 0)).collect();
                Ok::<_, io::Error>((leaders, carriers, uids))
            });
            match scan.await {
                Ok(Ok(found)) => break found,
                Ok(Err(error)) => wait_out(&error).await,
                Err(_) => return Vec::new(),
            }
        };
        self.run_as(uids);
        *self.suspects.lock() = Some(carriers);
        leaders
    }

    /// The users of targets, where they are not the daemon's own.
    pub(super) fn run_as(&self, users: impl IntoIterator<Item = (TargetName, u32)>) {
        self.users.lock().extend(users);
    }

    /// The target is gone. Its user is kept where something of it may live: without that it would not be found.
    pub(super) fn forget(&self, target: &TargetName) {
        self.ahead.lock().remove(target);
        if !self.may_have_left(target) {
            self.users.lock().remove(target);
        }
    }

    /// A process of the target is being started, or was that of another one until now.
    pub(super) fn started(&self, target: &TargetName) {
        let number = self.starts.fetch_add(1, Relaxed) + 1;
        if let Some(suspects) = &mut *self.suspects.lock() {
            suspects.insert(target.clone(), number);
        }
    }

    pub(super) fn may_have_left(&self, target: &TargetName) -> bool {
        self.last_start(target).is_some()
    }

    /// The number of the start of which something may live.
    fn last_start(&self, target: &TargetName) -> Option<u64> {
        let suspects = self.suspects.lock();
        suspects.as_ref()?.get(target).copied()
    }

    /// Nothing of this start, nor of those before, lives any more.
    fn is_clear(&self, target: &TargetName, start: u64) {
        let mut suspects = self.suspects.lock();
        if let Some(suspects) = &mut *suspects
            && suspects.get(target) == Some(&start)
        {
            suspects.remove(target);
            self.marks.aliases().forget(target);
        }
    }

    /// Looks for what the process that has just ended may have left, and ends nothing. So the next start, which comes soon
    /// where the end was a failure, need not wait for that.
    pub(super) fn look_ahead(self: &Arc<Self>, target: &TargetName) {
        let Some(start) = self.last_start(target) else {
            return;
        };
        let (done, ahead) = oneshot::channel();
        self.ahead.lock().insert(target.clone(), ahead);
        let (this, target) = (Arc::clone(self), target.clone());
        let mut look = Box::pin(async move {
            if this
                .look(&target, false)
                .await
                .is_ok_and(|left| left.is_empty())
            {
                this.is_clear(&target, start);
            }
            // Nobody may wait for it.
            let _ = done.send(());
        });
        // It begins here, on a thread of its own: as a task it would begin when who calls has told of the end.
        if look.as_mut().now_or_never().is_none() {
            tokio::spawn(look);
        }
    }

    /// Resolves when the look that began at the end of the target's process is done.
    pub(super) async fn looked_ahead(&self, target: &TargetName) {
        let ahead = self.ahead.lock().remove(target);
        if let Some(ahead) = ahead {
            // It is dropped only where the daemon ends.
            let _ = ahead.await;
        }
    }

    /// Ends all of a target; what is still there after some seconds, not even SIGKILL ends.
    async fn end(&self, target: &TargetName) -> Vec<Marked> {
        self.looked_ahead(target).await;
        let Some(start) = self.last_start(target) else {
            return Vec::new();
        };
        let mut begun = Instant::now();
        loop {
            let left = match self.look(target, true).await {
                Ok(left) => left,
                Err(Unseen::Lack) => {
                    tokio::time::sleep(RETRY).await;
                    begun = Instant::now();
                    continue;
                }
                // It has found nothing to end, and the next start looks again.
                Err(Unseen::BrokenOff) => return Vec::new(),
            };
            if left.is_empty() {
                self.is_clear(target, start);
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

    /// One look, which kills what it finds where it `ends` that.
    async fn look(&self, target: &TargetName, ends: bool) -> Found {
        let (sender, found) = oneshot::channel();
        let (marks, users) = (self.marks.clone(), Arc::clone(&self.users));
        let look = |wanted: Vec<Wanted>| async move {
            let scan = tokio::task::spawn_blocking(move || {
                let users = users.lock().clone();
                look_for_all(&marks, &users, wanted);
            });
            let _ = scan.await;
        };
        let wanted = Wanted {
            target: target.clone(),
            ends,
            sender,
        };
        self.looks.join(wanted, look).await;
        found.await.unwrap_or(Err(Unseen::BrokenOff))
    }
}

/// Waits a little, for the daemon lacks what a look at all processes needs.
pub(super) async fn wait_out(error: &io::Error) {
    tracing::warn!(%error, "cannot look at all processes yet");
    tokio::time::sleep(RETRY).await;
}

/// The numbers of these users. Blocks.
fn uids_of(users: &[(TargetName, String)]) -> io::Result<HashMap<TargetName, u32>> {
    // Many targets share few users, and each is read from files.
    let mut known: HashMap<&str, Option<u32>> = HashMap::new();
    let mut uids = HashMap::new();
    for (target, user) in users {
        let uid = match known.get(user.as_str()) {
            Some(uid) => *uid,
            None => uid_of(user)?,
        };
        known.insert(user, uid);
        uids.extend(uid.map(|uid| (target.clone(), uid)));
    }
    Ok(uids)
}

fn uid_of(user: &str) -> io::Result<Option<u32>> {
    match account::find(user) {
        Ok(account) => Ok(Some(account.uid.as_raw())),
        Err(AccountError::Unreadable { source, .. }) if limits::is_own_lack(&source) => Err(source),
        // Without an account nothing can have been started under it either.
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_user_of_a_target_that_is_gone_is_forgotten_where_nothing_of_it_may_live() {
        let leftovers = Leftovers::new(Marks::new(Path::new("/a/logs")));
        let name = |text: &str| TargetName::parse(text).unwrap();
        *leftovers.suspects.lock() = Some(HashMap::new());
        leftovers.run_as([(name("gone"), 7), (name("left"), 8)]);
        leftovers.started(&name("left"));
        leftovers.forget(&name("gone"));
        leftovers.forget(&name("left"));
        let users = leftovers.users.lock().clone();
        assert_eq!(users, HashMap::from([(name("left"), 8)]));
    }
}
