//! Looks that block a thread, or the part of a look that does: one at a time for each check, one place for each target,
//! and few in all.
//!
//! Invariant: a look that hangs, on a file system that does not answer say, holds one thread until it ends; before that
//! no further look of its check begins.
//! Invariant: programs that are started, files that are read and what only the kernel is asked for have threads of their
//! own each, so that where one kind hangs the others go on. Names have others; see `names`.
//! Invariant: of each of these a target holds one place at most, however many of its checks hang.
//! Invariant: that there is no thread says nothing about the target: the look is then none.

use super::{
    Seen, length,
    places::{OwnPlace, OwnPlaces, place_of},
};
use crate::adapters::threads::Threads;
use mainstay_domain::{
    name::{CheckName, TargetName},
    spec::{CheckKind, CheckSpec},
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore, oneshot},
};

/// Threads of each group.
const MAX_THREADS: usize = 64;

type Check = (TargetName, CheckName);

/// The looks of each check that run. One that looks at something else since a new config is another one.
type RunningLooks = Arc<Mutex<HashMap<Check, Looks>>>;

/// Of one check there is one, but for those that hung when it was changed.
struct Looks {
    first: Arc<CheckSpec>,
    others: Vec<Arc<CheckSpec>>,
}

impl Looks {
    fn all(&self) -> impl Iterator<Item = &Arc<CheckSpec>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Whether one that runs looks at the same. Most are of the very same config.
    fn has(&self, check: &Arc<CheckSpec>) -> bool {
        let is_same = |one: &Arc<CheckSpec>| Arc::ptr_eq(one, check) || one.kind == check.kind;
        self.all().any(is_same)
    }
}

pub(super) struct BlockingLooks {
    running: RunningLooks,
    files: Group,
    kernel: Group,
    programs: Group,
}

/// Looks that may hang together.
struct Group {
    places: Arc<Semaphore>,
    /// Of each target.
    own: OwnPlaces,
    threads: Threads,
}

impl Group {
    fn new(name: &'static str) -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_THREADS)),
            own: OwnPlaces::default(),
            threads: Threads::new(name, MAX_THREADS),
        }
    }
}

/// Ends with the look, not with who waits for it.
struct Running {
    target: TargetName,
    check: Arc<CheckSpec>,
    running: RunningLooks,
}

impl Drop for Running {
    fn drop(&mut self) {
        let key = key(&self.target, &self.check);
        let mut running = self.running.lock();
        let Entry::Occupied(mut looks) = running.entry(key) else {
            return;
        };
        let of_check = looks.get_mut();
        if !Arc::ptr_eq(&of_check.first, &self.check) {
            of_check.others.retain(|one| !Arc::ptr_eq(one, &self.check));
        } else if let Some(other) = of_check.others.pop() {
            of_check.first = other;
        } else {
            looks.remove();
        }
    }
}

fn key(target: &TargetName, check: &CheckSpec) -> Check {
    (target.clone(), check.name.clone())
}

/// One look of one check, which has its thread.
pub(super) struct Turn {
    _running: Running,
    _own: OwnPlace,
    _place: OwnedSemaphorePermit,
    threads: Threads,
}

impl Turn {
    /// Looks on a thread of its own. May be dropped: the look goes on, but what it sees is lost. The error is what is
    /// seen where it cannot be done.
    pub(super) async fn run<T: Send + 'static>(
        self,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Seen> {
        // A program that is started belongs to the runtime.
        let runtime = Handle::current();
        let (sender, looking) = oneshot::channel();
        let threads = self.threads.clone();
        let begun = threads.run(move || {
            let _in_runtime = runtime.enter();
            let seen = look();
            // Who is told that it has ended may look again at once.
            drop(self);
            // Nobody may wait for it any more.
            let _ = sender.send(seen);
        });
        begun.map_err(|error| Seen::unknown(format!("no thread can be started: {error}")))?;
        looking.await.map_err(|error| interrupted(&error))
    }
}

impl BlockingLooks {
    pub(super) fn new() -> Self {
        Self {
            running: Arc::default(),
            files: Group::new("files"),
            kernel: Group::new("kernel"),
            programs: Group::new("programs"),
        }
    }

    fn group(&self, check: &CheckSpec) -> &Group {
        match check.kind {
            CheckKind::Exec(_) => &self.programs,
            // A pid file may lie on a file system that does not answer.
            CheckKind::Process { pid_file: None }
            | CheckKind::Memory { pid_file: None, .. }
            | CheckKind::Cpu { pid_file: None, .. } => &self.kernel,
            _ => &self.files,
        }
    }

    /// Waits for the target's place and for a thread, at most one period of the check. The error is the observation if
    /// there is none, or if an earlier look of this check still hangs.
    pub(super) async fn turn(
        &self,
        target: &TargetName,
        check: &Arc<CheckSpec>,
    ) -> Result<Turn, Seen> {
        self.turn_in(self.group(check), target, check, check.every)
            .await
    }

    /// As [`BlockingLooks::turn`], to ask the kernel what an answer is worth that is there already: it waits no longer than
    /// the check's timeout.
    pub(super) async fn turn_beside(
        &self,
        target: &TargetName,
        check: &Arc<CheckSpec>,
    ) -> Result<Turn, Seen> {
        self.turn_in(&self.kernel, target, check, check.timeout)
            .await
    }

    async fn turn_in(
        &self,
        group: &Group,
        target: &TargetName,
        check: &Arc<CheckSpec>,
        longest: Duration,
    ) -> Result<Turn, Seen> {
        let Some(running) = self.begin(target, check) else {
            let seen = Seen::failed(format!(
                "an earlier look of the {} check still hangs; no other begins before it ends",
                check.kind.as_str()
            ));
            return Err(match hangs_beside(&check.kind) {
                true => seen.into_unknown(),
                false => seen,
            });
        };
        let mut has_own = false;
        let places = async {
            let own = group.own.of(target).await?;
            has_own = true;
            Ok::<_, AcquireError>((own, place_of(&group.places).await?))
        };
        let waited = tokio::time::timeout(longest, places).await;
        match waited {
            Ok(Ok((own, place))) => Ok(Turn {
                _running: running,
                _own: own,
                _place: place,
                threads: group.threads.clone(),
            }),
            Ok(Err(error)) => Err(interrupted(&error)),
            Err(_) => Err(no_turn(check, longest, has_own)),
        }
    }

    fn begin(&self, target: &TargetName, check: &Arc<CheckSpec>) -> Option<Running> {
        match self.running.lock().entry(key(target, check)) {
            Entry::Occupied(looks) if looks.get().has(check) => return None,
            Entry::Occupied(mut looks) => looks.get_mut().others.push(Arc::clone(check)),
            Entry::Vacant(place) => {
                place.insert(Looks {
                    first: Arc::clone(check),
                    others: Vec::new(),
                });
            }
        }
        Some(Running {
            target: target.clone(),
            check: Arc::clone(check),
            running: Arc::clone(&self.running),
        })
    }
}

/// Whether what hangs in a look of this kind is no part of the target: a file of authorities, a log, a pid file, where
/// documents lie, or the program that looks.
pub(super) fn hangs_beside(kind: &CheckKind) -> bool {
    match kind {
        CheckKind::Http(_)
        | CheckKind::Log { .. }
        | CheckKind::Checksum { .. }
        | CheckKind::Exec(_)
        | CheckKind::Process { .. }
        | CheckKind::Memory { .. }
        | CheckKind::Cpu { .. } => true,
        CheckKind::Redis(redis) => redis.ca.is_some(),
        CheckKind::Postgres(postgres) => postgres.ca.is_some(),
        _ => false,
    }
}

/// It waited for so long, with the place of its target or without.
fn no_turn(check: &CheckSpec, longest: Duration, has_own: bool) -> Seen {
    let (longest, kind) = (length(longest), check.kind.as_str());
    Seen::unknown(match has_own {
        true => format!(
            "no thread was free within {longest} for the {kind} check, for the looks of {MAX_THREADS} others do not end"
        ),
        false => format!(
            "the {kind} check had no turn within {longest}, for the look of another check of this target does not end"
        ),
    })
}

fn interrupted(error: &dyn std::fmt::Display) -> Seen {
    Seen::unknown(format!("the look was interrupted: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{
        specs::{check as check_of, name},
        wait_until,
    };
    use mainstay_domain::health::Outcome;
    use std::sync::mpsc;

    impl BlockingLooks {
        /// As the probe does it.
        pub(in super::super) async fn look<T: Send + 'static>(
            &self,
            target: &TargetName,
            check: &Arc<CheckSpec>,
            look: impl FnOnce() -> T + Send + 'static,
        ) -> Result<T, Seen> {
            self.turn(target, check).await?.run(look).await
        }
    }

    #[tokio::test]
    async fn a_thousand_looks_at_once_are_kept_apart_and_leave_nothing_behind() {
        let looks = Arc::new(BlockingLooks::new());
        let mut check = check_of("disk");
        check.every = Duration::from_secs(20);
        let (check, mut all) = (Arc::new(check), tokio::task::JoinSet::new());
        for number in 0..1_000 {
            let (looks, check) = (Arc::clone(&looks), Arc::clone(&check));
            all.spawn(async move {
                let target = name(&format!("t-{number}"));
                looks.look(&target, &check, move || number).await
            });
        }
        let mut seen: Vec<i32> = all
            .join_all()
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..1_000).collect::<Vec<_>>());
        wait_until("all have ended", || looks.running.lock().is_empty()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_a_thread_is_no_failure_before_the_period_is_over() {
        let looks = BlockingLooks::new();
        let mut check = check_of("disk");
        (check.timeout, check.every) = (Duration::from_secs(1), Duration::from_secs(10));
        let check = Arc::new(check);
        let others = Arc::clone(&looks.files.places);
        let others = others.acquire_many_owned(64).await.unwrap();
        let target = name("api");
        let mut turn = Box::pin(looks.turn(&target, &check));
        let early = tokio::time::timeout(Duration::from_secs(9), &mut turn).await;
        assert!(early.is_err(), "it waits longer than its timeout");
        let seen = turn.await.err().unwrap();
        assert_eq!(seen.outcome, Some(Outcome::Unknown));
        assert!(
            seen.message.contains("no thread was free within 10 s"),
            "{seen:?}"
        );
        let free = looks.programs.places.available_permits();
        assert_eq!(free, MAX_THREADS, "another group has its own");
        drop(others);
        assert!(looks.turn(&target, &check).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_looks_at_files_hang_the_kernel_is_asked_still_and_no_answer_waits_for_long()
    {
        let looks = BlockingLooks::new();
        let files = Arc::clone(&looks.files.places);
        let _files = files.acquire_many_owned(64).await.unwrap();
        let mut check = check_of("it");
        (check.timeout, check.every) = (Duration::from_secs(1), Duration::from_secs(60));
        let target = name("api");
        let (max_percent, pid_file) = (90.0, None);
        for kind in [
            CheckKind::Process { pid_file: None },
            CheckKind::Memory {
                max_percent,
                max_bytes: Some(1),
                pid_file: pid_file.clone(),
            },
            CheckKind::Cpu {
                max_percent,
                degraded_percent: None,
                pid_file,
            },
        ] {
            let check = Arc::new(CheckSpec {
                kind,
                ..check.clone()
            });
            assert!(looks.turn(&target, &check).await.is_ok(), "{check:?}");
        }
        let by_file = Arc::new(CheckSpec {
            kind: CheckKind::Process {
                pid_file: Some("/run/it.pid".into()),
            },
            ..check.clone()
        });
        let check = Arc::new(check);
        assert!(looks.turn_beside(&target, &check).await.is_ok());
        assert!(looks.turn(&target, &by_file).await.is_err());

        let kernel = Arc::clone(&looks.kernel.places);
        let _kernel = kernel.acquire_many_owned(64).await.unwrap();
        let begun = tokio::time::Instant::now();
        let seen = looks.turn_beside(&target, &check).await.err().unwrap();
        assert!(seen.message.contains("free within 1000 ms"), "{seen:?}");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_check_whose_look_hangs_has_one_thread_and_says_so() {
        let looks = BlockingLooks::new();
        let (check, api, web) = (Arc::new(check_of("disk")), name("api"), name("web"));
        let (release, hang) = mpsc::channel::<()>();
        let hanging = looks.look(&api, &check, move || {
            let _ = hang.recv();
            Seen::healthy("at last")
        });
        let timed_out = tokio::time::timeout(Duration::from_millis(20), hanging).await;
        assert!(timed_out.is_err());

        let again = looks.look(&api, &check, || Seen::healthy("began"));
        let seen = again.await.unwrap_err();
        assert!(seen.message.contains("an earlier look"), "{seen:?}");
        let free = || looks.files.places.available_permits();
        assert_eq!(free(), MAX_THREADS - 1);
        let other = looks.look(&web, &check, || Seen::healthy("another target"));
        assert_eq!(other.await.unwrap().message, "another target");

        release.send(()).unwrap();
        wait_until("its end", || free() == MAX_THREADS).await;
        let after = looks.look(&api, &check, || Seen::healthy("well again"));
        assert_eq!(after.await.unwrap().message, "well again");
    }

    #[test]
    fn a_check_that_was_changed_while_its_look_hung_is_another_one_and_both_are_known() {
        let (looks, api) = (BlockingLooks::new(), name("api"));
        let tcp = check_of("it");
        let changed = CheckSpec {
            kind: CheckKind::Process { pid_file: None },
            ..tcp.clone()
        };
        // Another config, of which this check looks at the same.
        let slower = CheckSpec {
            every: Duration::from_secs(60),
            ..tcp.clone()
        };
        let [tcp, changed, slower] = [tcp, changed, slower].map(Arc::new);
        for ends_first in [&tcp, &changed] {
            let mut both = vec![looks.begin(&api, &tcp).unwrap()];
            assert!(looks.begin(&api, &tcp).is_none());
            assert!(looks.begin(&api, &slower).is_none());
            both.push(looks.begin(&api, &changed).unwrap());
            assert!(looks.begin(&api, &changed).is_none());
            assert!(looks.begin(&name("web"), &tcp).is_some());
            both.retain(|one| !Arc::ptr_eq(&one.check, ends_first));
            assert!(looks.begin(&api, &tcp).is_some() == Arc::ptr_eq(&tcp, ends_first));
            assert!(looks.begin(&api, &changed).is_some() == Arc::ptr_eq(&changed, ends_first));
            drop(both);
            assert!(looks.running.lock().is_empty());
        }
    }

    #[tokio::test]
    async fn a_target_whose_looks_all_hang_takes_one_place_and_no_other_target_is_unseen() {
        let looks = Arc::new(BlockingLooks::new());
        let mut check = check_of("disk");
        check.every = Duration::from_secs(1);
        let (ill, (release, hang)) = (name("ill"), mpsc::channel::<()>());
        let hang = Arc::new(std::sync::Mutex::new(hang));
        let mut hanging = tokio::task::JoinSet::new();
        for number in 0..MAX_THREADS {
            let (looks, ill, hang) = (Arc::clone(&looks), ill.clone(), Arc::clone(&hang));
            let check = Arc::new(CheckSpec {
                name: CheckName::parse(&format!("disk-{number}")).unwrap(),
                ..check.clone()
            });
            let wait = move || {
                let _ = hang.lock().map(|hang| hang.recv());
            };
            hanging.spawn(async move { looks.look(&ill, &check, wait).await });
        }
        wait_until("one hangs", || {
            looks.files.places.available_permits() == MAX_THREADS - 1
        })
        .await;
        let of_others = Arc::new(check.clone());
        for number in 0..1_000 {
            let well = name(&format!("well-{number}"));
            let seen = looks.look(&well, &of_others, || Seen::healthy("it is there"));
            assert_eq!(seen.await.unwrap().message, "it is there", "{number}");
        }
        let kernel = Arc::new(CheckSpec {
            kind: CheckKind::Process { pid_file: None },
            ..check.clone()
        });
        let seen = looks.look(&ill, &kernel, || Seen::healthy("it runs"));
        assert_eq!(seen.await.unwrap().message, "it runs", "of its own too");
        for _ in 1..MAX_THREADS {
            let seen = hanging.join_next().await.unwrap().unwrap().unwrap_err();
            assert_eq!(seen.outcome, Some(Outcome::Unknown));
            assert!(
                seen.message.contains("another check of this target"),
                "{seen:?}"
            );
        }
        drop(release);
        assert_eq!(hanging.join_next().await.unwrap().unwrap(), Ok(()));
        wait_until("its end", || looks.running.lock().is_empty()).await;
    }
}
