mod checkpoints;
mod deletions;
mod drills;
mod fakes;
mod hooks;
mod moves;
mod proofs;
mod retention;
mod sealed;
mod suspects;
mod taken_up;

use super::{due::FIRST_BACKOFF, *};
use crate::{
    ports::{
        BackupControl, BackupOperator, Cancelled, Refused, RestoreRequest, RestoreRules, Unreadable,
    },
    services::testing::{
        ManualClock, MemoryJournal, MemorySettled, ScriptedProbe, wait_until, within,
    },
};
use fakes::{FakeCommands, FakeJudge, FakeStore, FakeWatch, job, record_of, spec_with};
use mainstay_domain::{
    backup::{BackupStatus, BackupType},
    backup_chain::by_age,
    code::ErrorCode,
    health::Health,
    id::BackupId,
    name::{TargetName, TierName},
    spec::{BackupSource, OnUnreadable, ReadingSpec, TierPlaceSpec, TierRole, TierSpec},
};
use tokio::task::JoinHandle;

/// A service over stand-ins, and what it left in the journal.
pub(super) struct Fixture {
    pub(super) service: BackupService,
    pub(super) store: Arc<FakeStore>,
    pub(super) judge: Arc<FakeJudge>,
    pub(super) watch: Arc<FakeWatch>,
    pub(super) journal: Arc<MemoryJournal>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) spec: watch::Sender<Arc<Spec>>,
    pub(super) numbers: Numbers,
    pub(super) commands: Arc<FakeCommands>,
    pub(super) probe: Arc<ScriptedProbe>,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        Self::with(
            FakeStore::new(),
            MemoryJournal::new(),
            ManualClock::new(),
            &[job(None)],
        )
        .await
    }

    async fn with(
        store: Arc<FakeStore>,
        journal: Arc<MemoryJournal>,
        clock: Arc<ManualClock>,
        jobs: &[JobSpec],
    ) -> Self {
        Self::upgraded(store, journal, clock, jobs, None).await
    }

    /// The program was upgraded then.
    async fn upgraded(
        store: Arc<FakeStore>,
        journal: Arc<MemoryJournal>,
        clock: Arc<ManualClock>,
        jobs: &[JobSpec],
        upgraded: Option<Timestamp>,
    ) -> Self {
        Self::with_spec(store, journal, clock, spec_with(jobs), upgraded).await
    }

    async fn with_spec(
        store: Arc<FakeStore>,
        journal: Arc<MemoryJournal>,
        clock: Arc<ManualClock>,
        spec: Arc<Spec>,
        upgraded: Option<Timestamp>,
    ) -> Self {
        let (spec, receiver) = watch::channel(spec);
        let judge = FakeJudge::new();
        let watch = FakeWatch::new();
        let numbers = Numbers::new().unwrap();
        let commands = Arc::new(FakeCommands::default());
        let probe = ScriptedProbe::new();
        let (records, slots, drill_slots) = left_in(&journal);
        let parts = BackupParts {
            store: store.clone(),
            shared: Shared {
                journal: journal.clone(),
                clock: clock.clone(),
                spec: receiver,
            },
            judge: judge.clone(),
            watch: watch.clone(),
            seed: journal.changes().len() as u64,
            settled: Arc::new(Settled::new(
                clock.clone(),
                None,
                journal.events().last().map(|event| event.at),
                MemorySettled::new(),
            )),
            told_missed: Vec::new(),
            drill_slots,
            numbers: numbers.clone(),
            commands: commands.clone(),
            probe: probe.clone(),
            upgraded,
        };
        let service = BackupService::open(parts, records, slots).await.unwrap();
        Self {
            service,
            store,
            judge,
            watch,
            journal,
            clock,
            spec,
            numbers,
            commands,
            probe,
        }
    }

    /// The daemon is killed and started again: only journal, store and clock stay.
    pub(super) async fn restarted(self) -> Self {
        let jobs = self.spec.borrow().jobs.clone();
        Self::with(self.store, self.journal, self.clock, &jobs).await
    }

    pub(super) fn start(&self) -> (JoinHandle<Result<(), BackupError>>, CancellationToken) {
        let stop = CancellationToken::new();
        (tokio::spawn(self.service.clone().run(stop.clone())), stop)
    }

    pub(super) async fn create(&self, backup_type: BackupType) -> Result<BackupRecord, String> {
        within(BackupOperator::create(
            &self.service,
            job(None).name,
            backup_type,
            no_progress(),
        ))
        .await
        .map_err(|error| error.0)
    }

    pub(super) fn types(&self) -> Vec<BackupType> {
        let mut records = self.service.list(None);
        records.sort_by(by_age);
        records
            .iter()
            .filter(|record| record.status == BackupStatus::Verified)
            .map(|record| record.backup_type)
            .collect()
    }

    fn kinds(&self) -> Vec<EventKind> {
        self.journal.kinds()
    }
}

type Left = (
    Vec<BackupRecord>,
    Vec<(JobName, BackupType, Timestamp)>,
    Vec<(JobName, Timestamp)>,
);

/// What a journal would hand to the next daemon.
fn left_in(journal: &MemoryJournal) -> Left {
    let mut records: HashMap<BackupId, BackupRecord> = HashMap::new();
    let (mut slots, mut drill_slots) = (Vec::new(), Vec::new());
    for change in journal.changes() {
        match change {
            Change::Backup(record) => drop(records.insert(record.id.clone(), record)),
            Change::BackupRemoved(id) => drop(records.remove(&id)),
            Change::Slot(job, backup_type, slot) => slots.push((job, backup_type, slot)),
            Change::DrillSlot(job, slot) => drill_slots.push((job, slot)),
            _ => {}
        }
    }
    (records.into_values().collect(), slots, drill_slots)
}

const QUARTER: Duration = Duration::from_secs(900);
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_first_run_is_a_full_at_once_and_then_each_slot_has_one_run() {
    let fixture = Fixture::new().await;
    let (_running, _stop) = fixture.start();
    wait_until("the first backup", || fixture.types().len() == 1).await;
    for runs in 2..6 {
        fixture.clock.advance(QUARTER);
        fixture.service.core.wake.notify_one();
        wait_until("the next backup", || fixture.types().len() == runs).await;
    }
    assert_eq!(
        fixture.types()[..3],
        [
            BackupType::Full,
            BackupType::Incremental,
            BackupType::Incremental
        ]
    );
    fixture.service.start_due();
    assert_eq!(
        fixture.store.taken(),
        5,
        "nothing is due before the next slot"
    );
}

#[tokio::test]
async fn trap_8_restarts_move_no_slot_and_a_missed_one_is_caught_up_once() {
    let mut fixture = Fixture::new().await;
    for fulls in 1..=4 {
        let (running, stop) = fixture.start();
        wait_until("the day's full backup", || {
            fixture
                .types()
                .iter()
                .filter(|kind| **kind == BackupType::Full)
                .count()
                == fulls
        })
        .await;
        stop.cancel();
        within(running).await.unwrap().unwrap();
        fixture.clock.advance(24 * HOUR);
        fixture = fixture.restarted().await;
    }
    assert_eq!(fixture.types(), [BackupType::Full; 4]);
    let changes = fixture.journal.changes();
    let caught_up = changes.iter().filter(|change| {
        matches!(change, Change::Event(event)
            if event.kind == EventKind::BackupVerified && event.message.contains("it catches up with"))
    });
    assert_eq!(
        caught_up.count(),
        3,
        "each but the first, for its increments"
    );
}

#[tokio::test]
async fn an_interrupted_backup_is_failed_and_its_slot_is_taken_again() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    fixture.store.hang();
    let (_running, _stop) = fixture.start();
    wait_until("a backup in progress", || fixture.store.hanging()).await;
    let fixture = fixture.restarted().await;
    fixture.store.go_on();
    let failed = fixture
        .service
        .list(None)
        .into_iter()
        .find(|record| record.status == BackupStatus::Failed)
        .unwrap();
    assert!(
        failed
            .reason
            .unwrap()
            .contains("the host stopped while it was taken")
    );
    assert_eq!(fixture.store.sweeps(), 2);
    let before = fixture.types().len();
    let (_running, _stop) = fixture.start();
    wait_until("the slot's backup", || fixture.types().len() > before).await;
}

#[tokio::test]
async fn a_backup_that_was_committed_but_not_recorded_is_not_lost() {
    let fixture = Fixture::new().await;
    let mut record = fixture.create(BackupType::Full).await.unwrap();
    record.status = BackupStatus::InProgress;
    fixture
        .journal
        .commit(vec![Change::Backup(record.clone())].into())
        .await
        .unwrap();
    let fixture = fixture.restarted().await;
    assert_eq!(fixture.service.list(None)[0].status, BackupStatus::Verified);
}

#[tokio::test]
async fn a_backup_that_may_lie_in_a_tier_that_is_away_is_looked_for_until_it_can_be() {
    for is_there in [true, false] {
        let fixture = Fixture::new().await;
        let mut record = fixture.create(BackupType::Full).await.unwrap();
        let id = record.id.clone();
        record.status = BackupStatus::InProgress;
        let left = Change::Backup(record);
        fixture.journal.commit(vec![left].into()).await.unwrap();
        if !is_there {
            fixture.store.lose_manifest(&id, 3);
        }
        fixture.store.keep_away(Some("nas is not mounted"));
        let fixture = fixture.restarted().await;
        let status = || record_of(&fixture.service, &id).status;
        assert_eq!(status(), BackupStatus::InProgress);
        fixture.create(BackupType::Full).await.unwrap();
        assert_eq!(status(), BackupStatus::InProgress, "it is away");
        fixture.store.keep_away(None);
        fixture.create(BackupType::Full).await.unwrap();
        let expected = match is_there {
            true => BackupStatus::Verified,
            false => BackupStatus::Failed,
        };
        assert_eq!(status(), expected);
    }
}

#[tokio::test]
async fn a_backup_in_doubt_is_recorded_as_what_it_is_once_that_can_be_told() {
    for is_there in [true, false] {
        let fixture = Fixture::new().await;
        let doubt = "the answer was lost";
        fixture
            .store
            .fail_next(BackupStoreError::InDoubt(doubt.to_owned()));
        let error = fixture.create(BackupType::Full).await.unwrap_err();
        assert!(error.contains(doubt), "{error}");
        let record = fixture.service.list(None).remove(0);
        assert_eq!(record.status, BackupStatus::InProgress, "not failed");
        assert_eq!(record.reason.as_deref(), Some(doubt));
        if !is_there {
            fixture.store.lose_manifest(&record.id, 3);
        }
        fixture.create(BackupType::Full).await.unwrap();
        let settled = record_of(&fixture.service, &record.id);
        match is_there {
            true => assert_eq!(settled.status, BackupStatus::Verified),
            false => {
                assert_eq!(settled.status, BackupStatus::Failed);
                let reason = settled.reason.unwrap();
                assert!(reason.contains("is not stored"), "{reason}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_called_failed_and_lies_in_the_store_is_taken_up() {
    let fixture = Fixture::new().await;
    let stored = fixture.create(BackupType::Full).await.unwrap();
    let failed = BackupRecord {
        status: BackupStatus::Failed,
        ..stored.clone()
    };
    let left = Change::Backup(failed);
    fixture.journal.commit(vec![left].into()).await.unwrap();
    let fixture = fixture.restarted().await;
    let found = record_of(&fixture.service, &stored.id);
    assert_eq!(found.status, BackupStatus::Verified);
}

#[tokio::test]
async fn a_backup_that_an_effect_asked_for_is_found_by_its_key_after_a_restart() {
    let mut fixture = Fixture::new().await;
    let asked = |fixture: &Fixture, key: &str| {
        let service = fixture.service.clone();
        let (name, key) = (job(None).name, key.to_owned());
        async move {
            let made = BackupControl::create(&service, name, BackupType::Full, key);
            within(made).await.unwrap().id
        }
    };
    let first = asked(&fixture, "op-1-1").await;
    fixture = fixture.restarted().await;
    assert_eq!(asked(&fixture, "op-1-1").await, first);
    assert_eq!(fixture.store.taken(), 1, "it is not taken again");
    let second = asked(&fixture, "op-1-2").await;
    assert_ne!(second, first, "another effect asks for another");

    // The daemon ended between the store's part and the journal's.
    let id = BackupId::parse(&second).unwrap();
    let unrecorded = BackupRecord {
        status: BackupStatus::InProgress,
        ..record_of(&fixture.service, &id)
    };
    let change = Change::Backup(unrecorded);
    fixture.journal.commit(vec![change].into()).await.unwrap();
    fixture = fixture.restarted().await;
    assert_eq!(asked(&fixture, "op-1-2").await, second);

    // What is not there is none.
    fixture.store.lose(&id);
    fixture = fixture.restarted().await;
    assert_ne!(asked(&fixture, "op-1-2").await, second);
    assert_eq!(fixture.store.taken(), 3);
}

#[tokio::test]
async fn a_stored_backup_that_lost_its_manifest_is_known_to_the_sweep_and_marked_corrupted() {
    let fixture = Fixture::new().await;
    let lost = fixture.create(BackupType::Full).await.unwrap();
    let whole = fixture.create(BackupType::Full).await.unwrap();
    fixture.store.fail_upkeep(BackupStoreError::Corrupted {
        id: lost.id.clone(),
        what: "its manifest is missing".to_owned(),
    });
    let fixture = fixture.restarted().await;
    let known = [lost.id.clone(), whole.id.clone()];
    assert_eq!(
        fixture.store.known(),
        std::collections::BTreeSet::from(known)
    );
    let status = |id: &BackupId| {
        let records = fixture.service.list(None);
        records.into_iter().find(|it| &it.id == id).unwrap()
    };
    assert_eq!(status(&whole.id).status, BackupStatus::Verified);
    let marked = status(&lost.id);
    assert_eq!(marked.status, BackupStatus::Corrupted);
    assert_eq!(marked.reason.as_deref(), Some("its manifest is missing"));
    let told = |journal: &MemoryJournal| {
        let kinds = journal.kinds();
        let corrupted = kinds.iter().filter(|it| **it == EventKind::BackupCorrupted);
        corrupted.count()
    };
    assert_eq!(told(&fixture.journal), 1);
    let fixture = fixture.restarted().await;
    assert_eq!(told(&fixture.journal), 1, "it is told once");
}

#[tokio::test]
async fn a_backup_that_is_gone_behind_the_hosts_back_is_corrupted_at_the_start_and_told_once() {
    let fixture = Fixture::new().await;
    let lost = fixture.create(BackupType::Full).await.unwrap();
    let needs = fixture.create(BackupType::Incremental).await.unwrap();
    fixture.store.lose(&lost.id);
    let told = |fixture: &Fixture| {
        let kinds = fixture.kinds().into_iter();
        let corrupted = kinds.filter(|kind| *kind == EventKind::BackupCorrupted);
        corrupted.count()
    };
    let fixture = fixture.restarted().await;
    let found = record_of(&fixture.service, &lost.id);
    assert_eq!(found.status, BackupStatus::Corrupted);
    assert_eq!(found.reason.as_deref(), Some("its archive is missing"));
    let status = record_of(&fixture.service, &needs.id).status;
    assert_eq!(status, BackupStatus::Corrupted);
    assert_eq!(told(&fixture), 1);
    let fixture = fixture.restarted().await;
    assert_eq!(told(&fixture), 1, "it is told once");
    let next = fixture.create(BackupType::Incremental).await.unwrap();
    assert_eq!(next.backup_type, BackupType::Full);
}

#[tokio::test]
async fn a_store_that_cannot_be_tidied_does_not_keep_the_service_from_starting() {
    let fixture = Fixture::new().await;
    let mut record = fixture.create(BackupType::Full).await.unwrap();
    record.status = BackupStatus::Expired;
    let written = fixture.journal.commit(vec![Change::Backup(record)].into());
    written.await.unwrap();
    let error = "cannot remove /data: it is immutable".to_owned();
    fixture
        .store
        .fail_upkeep(BackupStoreError::Unavailable(error));
    let fixture = fixture.restarted().await;
    fixture.create(BackupType::Full).await.unwrap();
}

#[tokio::test]
async fn a_failed_backup_says_why_and_is_tried_again_after_a_growing_pause() {
    let fixture = Fixture::new().await;
    fixture.store.fail_next(BackupStoreError::Unavailable(
        "cannot write /x: No space left on device".to_owned(),
    ));
    let (_running, _stop) = fixture.start();
    wait_until("the failure", || {
        fixture.kinds().contains(&EventKind::BackupFailed)
    })
    .await;
    wait_until("the pause", || {
        fixture
            .service
            .backoff_until(&job(None).name, fixture.service.now())
            .is_some()
    })
    .await;
    let event = fixture
        .journal
        .events()
        .into_iter()
        .find(|event| event.kind == EventKind::BackupFailed)
        .unwrap();
    assert!(
        event.message.contains("No space left") && event.severity == Severity::High,
        "{}",
        event.message
    );
    fixture.service.start_due();
    assert_eq!(fixture.store.taken(), 1, "it waits");
    fixture.clock.advance(FIRST_BACKOFF);
    fixture.service.core.wake.notify_one();
    wait_until("the backup", || fixture.types() == [BackupType::Full]).await;
}

#[tokio::test]
async fn a_difference_without_a_verified_base_becomes_a_full_backup() {
    let fixture = Fixture::new().await;
    assert_eq!(
        fixture
            .create(BackupType::Incremental)
            .await
            .unwrap()
            .backup_type,
        BackupType::Full
    );
    let message = fixture.journal.events()[0].message.clone();
    assert!(
        message.contains("it is full and not incremental"),
        "{message}"
    );
    let incremental = fixture.create(BackupType::Incremental).await.unwrap();
    let differential = fixture.create(BackupType::Differential).await.unwrap();
    assert_eq!(differential.parent, Some(differential.base.clone()));
    assert_eq!(incremental.base, differential.base);
    let next = fixture.create(BackupType::Incremental).await.unwrap();
    assert_eq!(next.parent, Some(differential.id), "of any kind");
}

#[tokio::test]
async fn a_chain_that_turns_out_damaged_is_marked_and_a_full_backup_is_taken_instead() {
    let fixture = Fixture::new().await;
    let full = fixture.create(BackupType::Full).await.unwrap();
    fixture.store.fail_next(BackupStoreError::Corrupted {
        id: full.id.clone(),
        what: "its archive is missing".to_owned(),
    });
    let taken = fixture.create(BackupType::Incremental).await.unwrap();
    assert_eq!(taken.backup_type, BackupType::Full);
    let damaged = record_of(&fixture.service, &full.id);
    assert_eq!(damaged.status, BackupStatus::Corrupted);
    assert!(fixture.kinds().contains(&EventKind::BackupCorrupted));
}

#[tokio::test]
async fn what_a_backup_left_out_is_kept_with_it() {
    let fixture = Fixture::new().await;
    fixture.store.warn("left out /data/fifo: it is a FIFO");
    let taken = fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(taken.warnings, ["left out /data/fifo: it is a FIFO"]);
    within(fixture.service.verify(taken.id.clone(), no_progress()))
        .await
        .unwrap();
    let fixture = fixture.restarted().await;
    let kept = record_of(&fixture.service, &taken.id);
    assert_eq!(kept.warnings, taken.warnings);
}

#[tokio::test]
async fn people_hear_of_a_backup_that_is_in_another_tier_than_it_should_be() {
    let fixture = Fixture::new().await;
    let nas = mainstay_domain::name::TierName::parse("nas").unwrap();
    let local = mainstay_domain::name::TierName::local();
    let wanting = JobSpec {
        tiers: [(BackupType::Full, vec![nas.clone(), local])].into(),
        ..job(None)
    };
    fixture.spec.send_replace(spec_with(&[wanting]));
    let taken = fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(taken.tier, "nas");
    assert!(!fixture.kinds().contains(&EventKind::BackupFellOver));
    fixture.store.refuse(&nas, "it is not there");
    let taken = fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(taken.tier, "local");
    let told = [EventKind::BackupVerified, EventKind::BackupFellOver];
    assert!(fixture.kinds().ends_with(&told), "{:?}", fixture.kinds());
}

#[tokio::test]
async fn an_incomplete_backup_is_shown_as_one_and_a_restore_of_the_newest_takes_a_complete_one() {
    let fixture = Fixture::new().await;
    let restored = || {
        let request = restore_of(job(None).name, Some("/restored"));
        within(BackupOperator::restore(
            &fixture.service,
            request,
            no_progress(),
        ))
    };
    let told = || fixture.journal.events().last().unwrap().message.clone();
    let whole = fixture.create(BackupType::Full).await.unwrap();
    assert!(!whole.incomplete && !fixture.service.jobs()[0].last_incomplete);
    fixture
        .store
        .leave_gaps("left out /data/a: it vanished while it was read");
    let torn = fixture.create(BackupType::Full).await.unwrap();
    assert!(
        torn.incomplete && told().contains("is verified, and incomplete: "),
        "{}",
        told()
    );
    let state = fixture.service.jobs()[0].clone();
    assert!(state.last_incomplete);
    assert_eq!(state.last_status, Some(BackupStatus::Verified));
    let newest = restored().await.unwrap();
    assert_eq!(newest.chain[0].id, whole.id);
    assert_eq!(newest.skipped[0].id, torn.id);
    assert!(
        told().contains("1 backup is newer and incomplete"),
        "{}",
        told()
    );

    // Where there is no other it is used, and that is said.
    fixture.store.damage(&whole.id);
    within(fixture.service.verify(whole.id.clone(), no_progress()))
        .await
        .unwrap_err();
    let newest = restored().await.unwrap();
    assert_eq!(newest.chain[0].id, torn.id);
    assert!(
        told().contains("it is incomplete, so that not all is in it"),
        "{}",
        told()
    );
}

#[tokio::test]
async fn one_backup_of_a_job_runs_at_a_time() {
    let fixture = Fixture::new().await;
    fixture.store.hang();
    let both = async {
        tokio::join!(
            fixture.create(BackupType::Snapshot),
            fixture.create(BackupType::Snapshot)
        )
    };
    let watch = async {
        wait_until("the first one", || fixture.store.hanging()).await;
        fixture.service.start_due();
        fixture.store.go_on();
    };
    let ((first, second), ()) = tokio::join!(both, watch);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(fixture.store.most_at_once(), 1);
}

/// What is due was judged before the turn was there: of two who looked while a backup ended, one took the slot again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slot_is_not_taken_twice_however_often_somebody_looks() {
    for _ in 0..50 {
        let fixture = Fixture::new().await;
        let lookers: Vec<_> = (0..3)
            .map(|_| {
                let service = fixture.service.clone();
                tokio::task::spawn_blocking(move || {
                    while service
                        .list(None)
                        .iter()
                        .all(|it| it.status != BackupStatus::Verified)
                    {
                        service.start_due();
                    }
                    for _ in 0..50 {
                        service.start_due();
                    }
                })
            })
            .collect();
        for looker in lookers {
            looker.await.unwrap();
        }
        assert_eq!(fixture.store.taken(), 1);
    }
}

#[tokio::test]
async fn an_operation_goes_on_when_its_caller_goes_away_and_a_stop_waits_for_it() {
    let fixture = Fixture::new().await;
    let (running, stop) = fixture.start();
    wait_until("the first backup", || fixture.types().len() == 1).await;
    fixture.store.hang();
    let asked = tokio::time::timeout(
        Duration::from_millis(1),
        BackupOperator::create(
            &fixture.service,
            job(None).name,
            BackupType::Snapshot,
            no_progress(),
        ),
    )
    .await;
    assert!(asked.is_err(), "the caller is gone");
    wait_until("the backup", || fixture.store.hanging()).await;
    stop.cancel();
    fixture.store.go_on();
    within(running).await.unwrap().unwrap();
    assert!(fixture.types().contains(&BackupType::Snapshot));
    assert!(
        fixture
            .create(BackupType::Snapshot)
            .await
            .unwrap_err()
            .contains("stopping")
    );
}

#[tokio::test]
async fn what_waits_its_turn_ends_with_its_caller() {
    let fixture = Fixture::new().await;
    let judged = job(Some(retention::policy(1)));
    fixture.spec.send_replace(spec_with(&[judged]));
    let full = fixture.create(BackupType::Full).await.unwrap();
    fixture.store.hang();
    let running = fixture.create(BackupType::Snapshot);
    let others = async {
        wait_until("the first one", || fixture.store.hanging()).await;
        let (service, name) = (&fixture.service, job(None).name);
        let restore = BackupControl::restore(service, name.clone(), full.id.to_string());
        let create =
            BackupOperator::create(service, name.clone(), BackupType::Snapshot, no_progress());
        // Who is in the middle of a recovery is not held up, but told.
        let busy =
            BackupControl::create(service, name, BackupType::Snapshot, "op-1-1".to_owned()).await;
        assert!(matches!(busy, Err(EffectError::Unavailable(_))), "{busy:?}");
        let prune = fixture.service.prune(None, false);
        let all = async { tokio::join!(restore, create, prune) };
        let asked = tokio::time::timeout(Duration::from_millis(5), all).await;
        assert!(asked.is_err(), "the callers are gone");
        fixture.store.go_on();
    };
    let (first, ()) = tokio::join!(running, others);
    first.unwrap();
    // Whoever had come before would have had their turn by the end of this one.
    fixture.create(BackupType::Snapshot).await.unwrap();
    assert_eq!((fixture.store.taken(), fixture.store.restores()), (3, 0));
    assert_eq!(fixture.judge.times_asked(), 0);
}

#[tokio::test]
async fn a_restore_that_is_cancelled_puts_nothing_in_place_and_says_so() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    let name = job(None).name;
    let error = cancel(&fixture).await.unwrap_err();
    assert!(error.0.contains("none is under way"), "{error}");
    fixture.store.stage_until_cancelled();
    let request = restore_of(name.clone(), None);
    let service = fixture.service.clone();
    let restore =
        tokio::spawn(
            async move { BackupOperator::restore(&service, request, no_progress()).await },
        );
    wait_until("the restore", || fixture.store.hanging()).await;
    assert_eq!(cancel(&fixture).await, Ok(Cancelled::Ended));
    let error = within(restore).await.unwrap().unwrap_err();
    assert!(error.0.contains("was cancelled"), "{error}");
    // Not even what was there was saved for it.
    assert_eq!((fixture.store.taken(), fixture.store.restores()), (1, 0));
    assert!(cancel(&fixture).await.is_err());
}

#[tokio::test]
async fn a_backup_that_is_cancelled_is_not_taken_and_the_next_one_is() {
    let fixture = Fixture::new().await;
    fixture.store.take_until_cancelled(true);
    let create = create_as(&fixture, None);
    wait_until("the backup", || fixture.store.hanging()).await;
    assert_eq!(cancel(&fixture).await, Ok(Cancelled::Ended));
    let error = within(create).await.unwrap().unwrap_err();
    assert!(error.0.contains("it was cancelled"), "{error}");
    let records = fixture.service.list(None);
    let stands: Vec<BackupStatus> = records.iter().map(|record| record.status).collect();
    assert_eq!(stands, [BackupStatus::Failed]);
    fixture.store.take_until_cancelled(false);
    fixture.create(BackupType::Full).await.unwrap();
    assert!(cancel(&fixture).await.is_err());
}

#[tokio::test]
async fn who_cancels_what_waits_for_its_turn_ends_that_and_not_what_runs() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    fixture.store.hang();
    let due = create_as(&fixture, None);
    wait_until("the backup that runs", || fixture.store.hanging()).await;
    let request = restore_of(job(None).name, None);
    let service = Arc::new(fixture.service.clone()).asked_as("restore".to_owned());
    let restore = tokio::spawn(async move {
        let restored = service.restore(request, no_progress()).await;
        restored.map(drop)
    });
    let create = create_as(&fixture, Some("create"));
    let create = tokio::spawn(async move { create.await.unwrap().map(drop) });
    let job = job(None).name;
    let waiting = || fixture.service.job_state(&job, |state| state.asked.len());
    wait_until("both that wait", || waiting() == 2).await;
    for (name, asked) in [("restore", restore), ("create", create)] {
        let cancelled = cancel_asked(&fixture, name).await;
        assert_eq!(cancelled, Ok(Cancelled::Ending), "{name}");
        let error = within(asked).await.unwrap().unwrap_err();
        assert!(error.0.contains("waited for its turn"), "{error}");
        let again = cancel_asked(&fixture, name).await;
        assert!(again.is_err(), "{name} has ended");
    }
    assert!(!fixture.store.is_told_to_end());
    fixture.store.go_on();
    within(due).await.unwrap().unwrap();
    assert_eq!((fixture.store.taken(), fixture.store.restores()), (2, 0));
}

#[tokio::test]
async fn what_runs_is_cancelled_by_the_name_that_it_was_asked_for_under_and_by_no_other() {
    let fixture = Fixture::new().await;
    fixture.store.take_until_cancelled(true);
    let create = create_as(&fixture, Some("own"));
    wait_until("the backup", || fixture.store.hanging()).await;
    let error = cancel_asked(&fixture, "other").await.unwrap_err();
    assert!(error.0.contains("nothing that was asked for so"), "{error}");
    assert!(!fixture.store.is_told_to_end());
    let cancelled = cancel_asked(&fixture, "own").await;
    assert_eq!(cancelled, Ok(Cancelled::Ending));
    let error = within(create).await.unwrap().unwrap_err();
    assert!(error.0.contains("it was cancelled"), "{error}");
}

#[tokio::test]
async fn what_failed_may_be_called_off_before_it_is_tried_once_more() {
    let fixture = Fixture::new().await;
    let service = BackupService {
        asked: Some(cancel::Asked::new("own".to_owned())),
        ..fixture.service.clone()
    };
    let take = || {
        let (name, asked) = (job(None).name, (BackupType::Full, None));
        service.clone().create_now(name, asked, no_progress())
    };
    fixture
        .store
        .fail_next(BackupStoreError::NoRoom("it is full".to_owned()));
    within(take()).await.unwrap_err();
    assert_eq!(cancel_asked(&fixture, "own").await, Ok(Cancelled::Ending));
    fixture.store.take_until_cancelled(true);
    let error = within(take()).await.unwrap_err().to_string();
    assert!(error.contains("it was cancelled"), "{error}");
}

#[tokio::test]
async fn a_backup_that_was_stored_before_it_could_be_cancelled_is_told_to_stay() {
    let fixture = Fixture::new().await;
    // It is committed, and looks at no token any more.
    fixture.store.hang();
    let create = create_as(&fixture, None);
    wait_until("the backup", || fixture.store.hanging()).await;
    let service = fixture.service.clone();
    let cancelled = tokio::spawn(async move { service.cancel_restore(job(None).name, None).await });
    wait_until("who cancels it", || fixture.store.is_told_to_end()).await;
    fixture.store.go_on();
    let taken = within(create).await.unwrap().unwrap();
    assert_eq!(taken.status, BackupStatus::Verified);
    let error = within(cancelled).await.unwrap().unwrap_err();
    assert!(error.0.contains("it came too late"), "{error}");
    assert!(error.0.contains(taken.id.as_str()), "{error}");
}

#[tokio::test]
async fn a_backup_that_failed_before_it_could_be_cancelled_is_told_so() {
    let fixture = Fixture::new().await;
    fixture.store.hang();
    fixture
        .store
        .fail_next(BackupStoreError::NoRoom("it is full".to_owned()));
    let create = create_as(&fixture, None);
    wait_until("the backup", || fixture.store.hanging()).await;
    let service = fixture.service.clone();
    let cancelled = tokio::spawn(async move { service.cancel_restore(job(None).name, None).await });
    wait_until("who cancels it", || fixture.store.is_told_to_end()).await;
    fixture.store.go_on();
    within(create).await.unwrap().unwrap_err();
    let error = within(cancelled).await.unwrap().unwrap_err();
    assert!(error.0.contains("it is full"), "{error}");
}

/// The newest of a job, into this place or else over what is there.
fn restore_of(job: JobName, into: Option<&str>) -> RestoreRequest {
    RestoreRequest {
        job,
        id: None,
        backup_type: None,
        at: None,
        rules: RestoreRules::default(),
        into: into.map(Into::into),
        replace: into.is_none(),
    }
}

async fn cancel(fixture: &Fixture) -> Result<Cancelled, Refused> {
    let cancelled = fixture.service.cancel_restore(job(None).name, None);
    within(cancelled).await
}

async fn cancel_asked(fixture: &Fixture, name: &str) -> Result<Cancelled, Refused> {
    let (job, name) = (job(None).name, Some(name.to_owned()));
    within(fixture.service.cancel_restore(job, name)).await
}

/// A full backup, asked for under a name or under none.
fn create_as(fixture: &Fixture, name: Option<&str>) -> JoinHandle<Result<BackupRecord, Refused>> {
    let service = Arc::new(fixture.service.clone());
    let service: Arc<dyn BackupOperator> = match name {
        Some(name) => service.asked_as(name.to_owned()),
        None => service,
    };
    let job = job(None).name;
    tokio::spawn(async move { service.create(job, BackupType::Full, no_progress()).await })
}

#[tokio::test]
async fn a_restore_in_place_takes_an_emergency_backup_just_before_it_replaces_and_needs_to_be_told()
{
    let fixture = Fixture::new().await;
    let full = fixture.create(BackupType::Full).await.unwrap();
    let request = |replace| RestoreRequest {
        replace,
        ..restore_of(job(None).name, None)
    };
    let error = within(BackupOperator::restore(
        &fixture.service,
        request(false),
        no_progress(),
    ))
    .await
    .unwrap_err();
    assert!(error.0.contains("--replace"), "{error}");
    let restored = within(BackupOperator::restore(
        &fixture.service,
        request(true),
        no_progress(),
    ))
    .await
    .unwrap();
    assert_eq!(restored.chain[0].id, full.id);
    assert_eq!(fixture.types(), [BackupType::Full, BackupType::Emergency]);
    let steps = ["taken", "staged", "taken", "placed"];
    assert_eq!(fixture.store.steps(), steps);
    assert!(
        fixture
            .kinds()
            .ends_with(&[EventKind::BackupVerified, EventKind::BackupRestored])
    );

    fixture
        .store
        .fail_next(BackupStoreError::Unavailable("cannot write /x".to_owned()));
    let error = within(BackupOperator::restore(
        &fixture.service,
        request(true),
        no_progress(),
    ))
    .await
    .unwrap_err();
    assert!(error.0.contains("nothing was restored"), "{error}");
    assert_eq!(fixture.store.restores(), 1);
    assert_eq!(fixture.store.unreadable(), Some(Unreadable::Fails));
    // What cannot be read cannot be saved, and would be lost.
    fixture.store.fail_next(BackupStoreError::Source(
        "cannot read /data/a: Permission denied".to_owned(),
    ));
    let error = within(BackupControl::restore(
        &fixture.service,
        job(None).name,
        full.id.to_string(),
    ))
    .await
    .unwrap_err()
    .to_string();
    assert!(error.contains("/data/a"), "{error}");
    assert_eq!(fixture.store.restores(), 1);
    fixture.create(BackupType::Emergency).await.unwrap();
    assert_eq!(fixture.store.unreadable(), Some(Unreadable::IsLeftOut));
}

#[tokio::test]
async fn what_cannot_be_read_fails_a_backup_only_where_its_job_says_so() {
    for (on_unreadable, expected) in [
        (OnUnreadable::Incomplete, Unreadable::IsMissed),
        (OnUnreadable::Fail, Unreadable::Fails),
    ] {
        let mut wanting = job(None);
        wanting.reading.on_unreadable = on_unreadable;
        let (store, journal) = (FakeStore::new(), MemoryJournal::new());
        let fixture = Fixture::with(store, journal, ManualClock::new(), &[wanting]).await;
        for backup_type in [BackupType::Full, BackupType::Incremental] {
            fixture.create(backup_type).await.unwrap();
            assert_eq!(fixture.store.unreadable(), Some(expected));
        }
        fixture.create(BackupType::Emergency).await.unwrap();
        assert_eq!(fixture.store.unreadable(), Some(Unreadable::IsLeftOut));
    }
}

#[tokio::test]
async fn a_restore_tells_what_it_did_not_put_back() {
    let fixture = Fixture::new().await;
    let full = fixture.create(BackupType::Full).await.unwrap();
    fixture.store.have_no_place_for("app.sql");
    let request = restore_of(job(None).name, None);
    let restore = BackupOperator::restore(&fixture.service, request, no_progress());
    let restored = within(restore).await.unwrap();
    assert_eq!(restored.not_put_back.first, ["app.sql"]);
    let events = fixture.journal.events();
    let told = &events.last().unwrap().message;
    let how = format!(
        "app.sql; `mainstay backup restore state --id {} --into",
        full.id
    );
    assert!(told.contains(&how), "{told}");
}

#[tokio::test]
async fn damage_found_by_verifying_or_a_drill_is_recorded_and_can_be_taken_back() {
    let fixture = Fixture::new().await;
    let full = fixture.create(BackupType::Full).await.unwrap();
    let drill = || within(fixture.service.drill(job(None).name, no_progress()));
    drill().await.unwrap();
    fixture.store.damage(&full.id);
    drill().await.unwrap_err();
    assert_eq!(
        record_of(&fixture.service, &full.id).status,
        BackupStatus::Corrupted
    );
    let verify = || within(fixture.service.verify(full.id.clone(), no_progress()));
    verify().await.unwrap_err();
    fixture.store.mend();
    verify().await.unwrap();
    assert_eq!(
        record_of(&fixture.service, &full.id).status,
        BackupStatus::Verified
    );
    for kind in [
        EventKind::DrillPassed,
        EventKind::DrillFailed,
        EventKind::BackupCorrupted,
    ] {
        assert!(fixture.kinds().contains(&kind), "{kind}");
    }
}

#[tokio::test]
async fn what_needs_a_corrupted_backup_is_corrupted_wherever_it_is_shown_and_skipped_with_a_word() {
    let fixture = Fixture::new().await;
    let mut taken = Vec::new();
    for backup_type in [BackupType::Full, BackupType::Full, BackupType::Incremental] {
        taken.push(fixture.create(backup_type).await.unwrap());
        fixture.clock.advance(Duration::from_secs(1));
    }
    let [old, base, needs] = &taken[..] else {
        panic!("{taken:?}");
    };
    assert_eq!(needs.parent.as_ref(), Some(&base.id));
    fixture.store.damage(&base.id);
    let verify = |id: &BackupId| within(fixture.service.verify(id.clone(), no_progress()));
    verify(&base.id).await.unwrap_err();
    let shown = record_of(&fixture.service, &needs.id);
    assert_eq!(shown.status, BackupStatus::Corrupted);
    let why = format!("it needs {}, which is corrupted", base.id);
    assert_eq!(shown.reason.as_deref(), Some(why.as_str()));
    let state = fixture.service.jobs()[0].clone();
    assert_eq!(
        (state.last_status, state.last_verified),
        (Some(BackupStatus::Corrupted), Some(old.created_at))
    );
    let request = restore_of(job(None).name, Some("/restored"));
    let restore = BackupOperator::restore(&fixture.service, request, no_progress());
    let restored = within(restore).await.unwrap();
    assert_eq!(restored.chain[0].id, old.id);
    let skipped: Vec<&BackupId> = restored.skipped.iter().map(|record| &record.id).collect();
    assert_eq!(skipped, [&needs.id, &base.id]);
    let events = fixture.journal.events();
    let told = &events.last().unwrap().message;
    assert!(told.contains("2 backups are newer and corrupted"), "{told}");

    fixture.store.mend();
    verify(&base.id).await.unwrap();
    let shown = record_of(&fixture.service, &needs.id);
    assert_eq!(shown.status, BackupStatus::Verified);
    assert_eq!(fixture.service.jobs()[0].last_status, Some(shown.status));
}

#[tokio::test]
async fn an_emergency_backup_is_not_how_a_job_stands() {
    let fixture = Fixture::new().await;
    fixture.store.fail_next(BackupStoreError::Source(
        "the source /data is not there".to_owned(),
    ));
    fixture.create(BackupType::Full).await.unwrap_err();
    fixture.clock.advance(Duration::from_secs(1));
    fixture.create(BackupType::Emergency).await.unwrap();
    let state = || {
        let job = fixture.service.jobs()[0].clone();
        (job.last_status, job.last_error)
    };
    let (status, why) = state();
    assert_eq!(status, Some(BackupStatus::Failed));
    assert!(why.unwrap().contains("the source /data is not there"));
    fixture.clock.advance(Duration::from_secs(1));
    fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(state(), (Some(BackupStatus::Verified), None));
}

#[tokio::test]
async fn the_state_of_a_job_shows_its_next_slot_and_whether_its_objective_is_met() {
    let fixture = Fixture::new().await;
    assert_eq!(
        fixture.service.jobs()[0].rpo_met,
        Some(false),
        "there is no backup"
    );
    let (_running, _stop) = fixture.start();
    wait_until("the first backup", || fixture.types().len() == 1).await;
    let status = fixture.service.jobs()[0].clone();
    assert_eq!(
        (status.last_status, status.rpo_met),
        (Some(BackupStatus::Verified), Some(true))
    );
    let now = fixture.service.now();
    assert!(
        status
            .next_due
            .is_some_and(|next| next > now && next.since(now) <= QUARTER)
    );
    fixture.clock.advance(HOUR + QUARTER);
    assert_eq!(fixture.service.jobs()[0].rpo_met, Some(false));
}

#[tokio::test]
async fn a_backup_from_while_the_clock_was_ahead_does_not_meet_the_objective_nor_stay_the_newest() {
    let fixture = Fixture::new().await;
    let mut ahead = fixture.create(BackupType::Full).await.unwrap();
    ahead.created_at = ahead.created_at + 1_000 * HOUR;
    fixture.service.core.catalog.lock().put(ahead.clone());
    let state = || fixture.service.jobs()[0].clone();
    assert_eq!(state().rpo_met, Some(false));

    fixture.store.fail_next(BackupStoreError::Interrupted);
    fixture.create(BackupType::Full).await.unwrap_err();
    assert_eq!(state().last_status, Some(BackupStatus::Failed));
    fixture.clock.advance(Duration::from_secs(1));
    let full = fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(
        (state().last_verified, state().rpo_met),
        (Some(full.created_at), Some(true))
    );
    fixture.clock.advance(Duration::from_secs(1));
    let next = fixture.create(BackupType::Incremental).await.unwrap();
    assert_eq!(next.parent, Some(full.id));
    let drilled = within(fixture.service.drill(job(None).name, no_progress())).await;
    let drilled = drilled.unwrap().chain;
    assert_eq!(drilled.last().map(|link| &link.id), Some(&next.id));
    let newest = within(BackupControl::newest(
        &fixture.service,
        job(None).name,
        None,
    ))
    .await;
    assert_eq!(newest.unwrap().unwrap().id, next.id.to_string());
}

#[tokio::test]
async fn a_job_that_is_not_in_the_config_is_refused_with_those_that_are() {
    let fixture = Fixture::new().await;
    let other = JobName::parse("other").unwrap();
    let error = within(BackupOperator::create(
        &fixture.service,
        other.clone(),
        BackupType::Full,
        no_progress(),
    ))
    .await
    .unwrap_err();
    assert!(
        error.0.contains("no backup job `other`") && error.0.contains("state"),
        "{error}"
    );
    let request = restore_of(other.clone(), Some("/restored"));
    let restored = BackupOperator::restore(&fixture.service, request, no_progress());
    let drilled = BackupOperator::drill(&fixture.service, other.clone(), no_progress());
    for error in [
        within(restored).await.unwrap_err(),
        within(drilled).await.unwrap_err(),
    ] {
        assert!(error.0.contains("no backup job `other`"), "{error}");
    }
    assert!(
        within(BackupControl::newest(&fixture.service, other, None))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_the_journal_does_not_take_is_in_no_list() {
    let fixture = Fixture::new().await;
    fixture.journal.fill(true);
    let error = fixture.create(BackupType::Full).await.unwrap_err();
    assert!(error.to_string().contains("it is full"), "{error}");
    assert!(fixture.service.list(None).is_empty());
    fixture.journal.fill(false);
    fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(fixture.service.list(None).len(), 1);
}

#[tokio::test]
async fn records_of_failures_do_not_grow_without_bound() {
    let fixture = Fixture::new().await;
    for _ in 0..60 {
        fixture
            .store
            .fail_next(BackupStoreError::Unavailable("no".to_owned()));
        fixture.create(BackupType::Full).await.unwrap_err();
    }
    assert_eq!(fixture.service.list(None).len(), 50);
}

#[tokio::test]
async fn a_lost_catalog_is_made_anew_before_anything_is_scheduled() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    fixture.create(BackupType::Incremental).await.unwrap();
    let known = fixture.service.list(None);
    let fresh = Fixture::with(
        fixture.store.clone(),
        MemoryJournal::new(),
        fixture.clock.clone(),
        &[job(None)],
    )
    .await;
    assert_eq!(fresh.service.list(None), known);
    assert!(
        within(fresh.service.rebuild())
            .await
            .unwrap()
            .found
            .is_empty(),
        "twice is once"
    );
    // What the sources hold now may be nothing, and is not to be the newest before somebody has looked.
    fresh.clock.advance(2 * HOUR);
    let spec = Arc::clone(&fresh.spec.borrow());
    assert!(
        fresh
            .service
            .due(&spec.jobs[0], fresh.service.now())
            .is_some()
    );
    let may_be_taken = || fresh.service.may_be_taken(&spec.jobs[0]);
    assert!(!may_be_taken());
    let why = fresh.service.jobs()[0].waits.clone().unwrap();
    assert!(
        why.contains("`mainstay backup restore state` gives them back"),
        "{why}"
    );
    let cannot = BackupStoreError::Unavailable("no".to_owned());
    fresh.store.fail_next(cannot);
    let (name, key) = (job(None).name, "op-1-1".to_owned());
    let asked = BackupControl::create(&fresh.service, name, BackupType::Full, key);
    within(asked).await.unwrap_err();
    assert!(!may_be_taken(), "a handler that asks is no person");
    let request = restore_of(job(None).name, Some("/restored"));
    let restored = BackupOperator::restore(&fresh.service, request, no_progress());
    assert_eq!(within(restored).await.unwrap().chain[0].id, known[1].id);
    assert!(may_be_taken());
}

#[tokio::test]
async fn a_restart_does_not_end_the_wait_for_a_person_and_a_backup_by_hand_does() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    fixture.clock.advance(HOUR);
    let fresh = Fixture::with(
        fixture.store.clone(),
        MemoryJournal::new(),
        fixture.clock.clone(),
        &[job(None)],
    )
    .await;
    fresh.clock.advance(23 * HOUR);
    let again = fresh.restarted().await;
    let spec = Arc::clone(&again.spec.borrow());
    let may_be_taken = |one: &Fixture| one.service.may_be_taken(&spec.jobs[0]);
    assert!(!may_be_taken(&again));
    again.clock.advance(HOUR);
    assert!(may_be_taken(&again), "it was a day");
    again.clock.set_back(2 * HOUR);
    let early = again.restarted().await;
    assert!(!may_be_taken(&early));
    early.create(BackupType::Full).await.unwrap();
    assert!(may_be_taken(&early));
    let last = early.restarted().await;
    assert!(may_be_taken(&last));
}

#[tokio::test]
async fn an_archive_without_its_manifest_is_neither_removed_nor_passed_over_in_silence() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    let left = fixture.create(BackupType::Snapshot).await.unwrap();
    fixture.store.lose_manifest(&left.id, 3);
    let fresh = Fixture::with(
        fixture.store.clone(),
        MemoryJournal::new(),
        fixture.clock.clone(),
        &[job(None)],
    )
    .await;
    let record = record_of(&fresh.service, &left.id);
    assert_eq!(record.status, BackupStatus::Corrupted);
    assert_eq!(
        (record.backup_type, record.stored_bytes),
        (BackupType::Snapshot, 3)
    );
    let reason = record.reason.unwrap();
    assert!(reason.contains("its manifest is missing"), "{reason}");
    assert!(fresh.kinds().contains(&EventKind::BackupCorrupted));
    let known = fresh.store.known();
    assert!(known.contains(&left.id), "the sweep is told: {known:?}");
    assert_eq!(within(fresh.service.rebuild()).await.unwrap().found, []);
}

#[tokio::test]
async fn what_is_stored_and_left_out_of_the_catalog_is_named_in_the_answer_and_in_an_event() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    let why = "left out ful-1.json: backup ful-1 is not trusted";
    fixture.store.leave_out(why);
    let rebuilt = within(fixture.service.rebuild()).await.unwrap();
    assert_eq!(
        (rebuilt.found, rebuilt.left_out),
        (vec![], vec![why.to_owned()])
    );
    assert!(fixture.kinds().contains(&EventKind::BackupFailed));
    let records = fixture.service.list(None);
    assert_eq!(records[0].status, BackupStatus::Verified);
}

#[tokio::test]
async fn a_rebuild_waits_for_the_turn_of_each_job_that_has_backups() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    fixture.store.hang();
    let running = fixture.create(BackupType::Snapshot);
    let others = async {
        wait_until("the backup", || fixture.store.hanging()).await;
        let mut rebuilding = fixture.service.rebuild();
        let early = tokio::time::timeout(Duration::from_millis(50), &mut rebuilding).await;
        assert!(early.is_err(), "it did not wait: {early:?}");
        fixture.store.go_on();
        within(rebuilding).await.unwrap()
    };
    let (taken, found) = tokio::join!(running, others);
    taken.unwrap();
    assert_eq!(
        found.found,
        [],
        "what was being taken is in the catalog by now"
    );
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_no_backup_from_being_taken() {
    let fixture = Fixture::new().await;
    let (_running, _stop) = fixture.start();
    wait_until("the first backup", || fixture.types().len() == 1).await;
    for (runs, back) in [(2, HOUR), (3, 30 * 24 * HOUR)] {
        fixture.clock.advance(Duration::from_secs(1));
        fixture.clock.set_back(back);
        fixture.service.core.wake.notify_one();
        wait_until("one by the clock of now", || fixture.types().len() == runs).await;
        let now = fixture.service.now();
        wait_until("its slots", || {
            let slots = fixture.service.core.catalog.lock().slots(&job(None).name);
            slots.values().all(|slot| *slot <= now)
        })
        .await;
    }
}

#[tokio::test]
async fn a_missed_objective_is_told_once_and_met_by_the_next_backup() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    let told = || {
        let kinds = fixture.kinds().into_iter();
        let missed = kinds.filter(|kind| *kind == EventKind::BackupRpoMissed);
        missed.count()
    };
    let spec = Arc::clone(&fixture.spec.borrow());
    let look = || fixture.service.look_at_objectives(&spec);
    look();
    fixture.clock.set_ahead(48 * HOUR);
    look();
    fixture.clock.set_back(48 * HOUR);
    look();
    assert_eq!(told(), 0, "no time was lived");
    fixture.clock.advance(HOUR + Duration::from_secs(1));
    look();
    look();
    assert_eq!(told(), 1, "it is older than its clock says");
    fixture.clock.set_back(Duration::ZERO);
    fixture.create(BackupType::Full).await.unwrap();
    look();
    fixture.clock.advance(HOUR + Duration::from_secs(1));
    look();
    assert_eq!(told(), 2);
}

#[tokio::test]
async fn an_objective_is_missed_by_the_newest_backup_that_is_left_when_another_turns_out_corrupted()
{
    let fixture = Fixture::new().await;
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let spec = Arc::clone(&fixture.spec.borrow());
    let look = || fixture.service.look_at_objectives(&spec);
    fixture.create(BackupType::Full).await.unwrap();
    look();
    fixture.clock.advance(minutes(50));
    let newest = fixture.create(BackupType::Full).await.unwrap();
    look();
    fixture.store.damage(&newest.id);
    within(fixture.service.verify(newest.id, no_progress()))
        .await
        .unwrap_err();
    look();
    fixture.clock.advance(minutes(11));
    look();
    assert!(fixture.kinds().contains(&EventKind::BackupRpoMissed));
}

#[tokio::test]
async fn a_job_without_an_objective_is_stale_after_twice_what_its_schedules_leave() {
    let fixture = Fixture::new().await;
    let stale_job = JobSpec {
        full: None,
        incremental: None,
        rpo: None,
        stale_after: Some(2 * HOUR),
        ..job(None)
    };
    fixture.spec.send_replace(spec_with(&[stale_job]));
    fixture.create(BackupType::Full).await.unwrap();
    let look = || {
        let spec = fixture.spec.borrow().clone();
        fixture.service.look_at_objectives(&spec);
        let kinds = fixture.kinds().into_iter();
        kinds
            .filter(|kind| *kind == EventKind::BackupRpoMissed)
            .count()
    };
    for (hours, told) in [(0, 0), (1, 0), (2, 1), (2, 1)] {
        fixture.clock.advance(hours * HOUR);
        assert_eq!(look(), told, "{hours}");
    }
    assert_eq!(fixture.service.jobs()[0].rpo_met, None);
}

#[tokio::test]
async fn a_backup_waits_for_its_targets_is_told_once_and_is_taken_when_they_are_healthy() {
    let fixture = Fixture::new().await;
    let waiting_job = JobSpec {
        after: vec![TargetName::parse("pg").unwrap()],
        ..job(None)
    };
    fixture.spec.send_replace(spec_with(&[waiting_job]));
    let (_running, _stop) = fixture.start();
    let why = || fixture.service.jobs()[0].waits.clone();
    wait_until("that it waits", || why().is_some()).await;
    assert_eq!(why().as_deref(), Some("pg is not seen yet"));
    fixture.watch.show(Health::Failed);
    wait_until("another reason", || {
        why().as_deref() == Some("pg is failed")
    })
    .await;
    let kinds = fixture.kinds().into_iter();
    let told = kinds.filter(|kind| *kind == EventKind::BackupWaiting);
    assert_eq!(told.count(), 1);
    assert_eq!(fixture.store.taken(), 0);
    fixture.watch.show(Health::Healthy);
    wait_until("the backup", || fixture.types().len() == 1).await;
    assert_eq!(why(), None);
}

#[tokio::test]
async fn a_handler_learns_that_a_job_cannot_be_restored_in_place_before_it_stops_anything() {
    let fixture = Fixture::new().await;
    let dump = JobSpec {
        sources: vec![BackupSource::Command {
            run: vec!["pg_dump".to_owned()],
            cwd: "/".into(),
            run_as: mainstay_domain::spec::RunAs::default(),
            key: "dump.sql".to_owned(),
            timeout: HOUR,
        }],
        ..job(None)
    };
    fixture.spec.send_replace(spec_with(&[dump]));
    fixture.create(BackupType::Full).await.unwrap();
    let newest = BackupControl::newest(&fixture.service, job(None).name, None);
    match within(newest).await {
        Err(EffectError::Failed(why)) => assert!(why.contains("is put back in place"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_store_is_asked_for_is_counted_by_how_it_ended() {
    let fixture = Fixture::new().await;
    fixture.create(BackupType::Full).await.unwrap();
    let away = BackupStoreError::Unavailable("it is away".to_owned());
    fixture.store.fail_next(away);
    fixture.create(BackupType::Full).await.unwrap_err();
    let text = fixture.numbers.render();
    for outcome in ["done", "unavailable"] {
        let labels = format!("operation=\"take\",outcome=\"{outcome}\"");
        let line = format!("backup_store_operations_total{{{labels}}} 1\n");
        assert!(text.contains(&line), "{line} in\n{text}");
    }
    let took = "backup_store_operation_seconds_count{operation=\"take\"} 2\n";
    assert!(text.contains(took), "{text}");
}

#[tokio::test]
async fn a_selection_replaces_nothing_and_what_a_restore_saves_is_whole() {
    let fixture = Fixture::new().await;
    let named = vec!["/positions".to_owned()];
    let selecting = JobSpec {
        reading: ReadingSpec {
            include: [BackupType::Snapshot, BackupType::Emergency]
                .map(|backup_type| (backup_type, named.clone()))
                .into(),
            ..ReadingSpec::default()
        },
        ..job(None)
    };
    fixture.spec.send_replace(spec_with(&[selecting]));
    let snapshot = fixture.create(BackupType::Snapshot).await.unwrap();
    assert!(snapshot.selection && !snapshot.incomplete, "{snapshot:?}");
    let newest = BackupControl::newest(&fixture.service, job(None).name, None);
    match within(newest).await {
        Err(EffectError::Failed(why)) => assert!(why.contains("a selection alone"), "{why}"),
        other => panic!("{other:?}"),
    }
    let restore = |id: Option<BackupId>, merge: bool| {
        let request = RestoreRequest {
            job: job(None).name,
            id,
            backup_type: None,
            at: None,
            rules: RestoreRules {
                merge,
                ..RestoreRules::default()
            },
            into: None,
            replace: !merge,
        };
        within(BackupOperator::restore(
            &fixture.service,
            request,
            no_progress(),
        ))
    };
    let refused = restore(None, false).await.unwrap_err();
    assert!(refused.0.contains("--merge"), "{refused}");
    assert_eq!(fixture.types(), [BackupType::Snapshot], "nothing was begun");

    let full = fixture.create(BackupType::Full).await.unwrap();
    assert!(
        fixture
            .create(BackupType::Snapshot)
            .await
            .unwrap()
            .selection
    );
    let restored = restore(None, false).await.unwrap();
    assert_eq!(restored.chain[0].id, full.id);
    let merged = restore(Some(snapshot.id.clone()), true).await.unwrap();
    assert_eq!(merged.chain[0].id, snapshot.id);
    let saved = fixture.service.list(None);
    let mut saved = saved
        .iter()
        .filter(|record| record.backup_type == BackupType::Emergency);
    assert!(saved.all(|record| !record.selection));
}

#[tokio::test]
async fn what_cannot_be_put_in_place_is_told_to_who_asks_for_a_backup_before_anything_is_stopped() {
    let fixture = Fixture::new().await;
    let newest = || {
        within(BackupControl::newest(
            &fixture.service,
            job(None).name,
            None,
        ))
    };
    let in_the_way = |why| fixture.store.be_in_the_way(why);
    let is_mounted = ErrorCode::RestoreRefused.mark("it is mounted");
    in_the_way(BackupStoreError::Unavailable(is_mounted.clone()));
    assert_eq!(newest().await, Ok(None), "there is none to be put there");
    let full = fixture.create(BackupType::Full).await.unwrap();
    assert_eq!(newest().await, Err(EffectError::Failed(is_mounted)));
    in_the_way(BackupStoreError::Unavailable("its tier is away".to_owned()));
    let passes = Err(EffectError::Unavailable("its tier is away".to_owned()));
    assert_eq!(newest().await, passes);
    in_the_way(BackupStoreError::NoRoom("it is full".to_owned()));
    let passes = Err(EffectError::Unavailable("it is full".to_owned()));
    assert_eq!(newest().await, passes);
    in_the_way(BackupStoreError::Corrupted {
        id: full.id,
        what: "a bit was flipped".to_owned(),
    });
    assert!(newest().await.is_err());
    assert_eq!(newest().await, Ok(None));
}

#[tokio::test]
async fn a_tier_that_left_the_config_is_unwell_no_more() {
    let fixture = Fixture::new().await;
    let tier = TierName::parse("nas").unwrap();
    fixture.store.be_unwell(&tier, fixture.service.now());
    let unwell = || BackupOperator::unwell_tiers(&fixture.service);
    assert_eq!(unwell(), vec![]);
    let mut spec = Spec::clone(&spec_with(&[job(None)]));
    let place = TierPlaceSpec::Directory("/mnt/backups".into());
    let role = TierRole::Network;
    let there = TierSpec {
        place,
        role,
        bandwidth: Vec::new(),
    };
    spec.tiers.insert(tier.clone(), there);
    fixture.spec.send_replace(Arc::new(spec));
    assert_eq!(unwell()[0].tier, tier);
}
