//! A store and a judge that do what a test tells them.

use super::*;
use crate::ports::{
    BackupContents, BackupStore, Boxed, Commands, DrilledTree, GivenIdentities, JudgeError,
    LiveState, NotPutBack, OnContent, OrphanedArchive, RekeyedBackups, RestorePlace, RestoreRules,
    RestoredTree, RetentionJudge, ServedCommand, StagedRestore, StoredBackup, StoredBackups,
    StoredLook, TakeBackup, TakenBackup, UnwellTier,
};
use crate::services::testing::specs;
use mainstay_domain::{
    archive::{
        Compression, ContentHash, DocumentKey, Encryption, FORMAT, Manifest, ParentLink, State,
    },
    backup::{BackupSummary, Hold, Verdict},
    breaker::CircuitState,
    effect::{CommandOutput, EffectError},
    health::{Health, Observation},
    name::{CommandName, FailureType, PluginName, TargetName, TierName},
    source_mount::SourceMount,
    spec::{CommandSpec, HookSpec, ReadingSpec, RetentionSpec, RunAs, Schedule, SealingSpec},
};
use parking_lot::Condvar;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    path::Path,
};
use tokio::sync::Semaphore;

#[derive(Default)]
struct Behaviour {
    /// Of the restore that is under way.
    stop: Option<CancellationToken>,
    stages_until_cancelled: bool,
    takes_until_cancelled: bool,
    manifests: BTreeMap<BackupId, Manifest>,
    trashed: HashSet<BackupId>,
    holds: BTreeMap<BackupId, Hold>,
    undeletable: HashSet<BackupId>,
    /// How often one of them was tried.
    denied: u32,
    damaged: HashSet<BackupId>,
    lost: HashSet<BackupId>,
    /// Why nobody can tell what was committed.
    away: Option<String>,
    orphans: Vec<(BackupId, u64)>,
    left_out: Vec<String>,
    failures: VecDeque<BackupStoreError>,
    /// Who asks what it holds waits.
    is_silent: bool,
    /// Somebody does.
    is_asked: bool,
    hangs: bool,
    hanging: bool,
    running: u32,
    most: u32,
    taken: u32,
    unreadable: Option<Unreadable>,
    sweeps: u32,
    restores_ended: u32,
    /// What the newest sweep was told that it may not touch.
    known: BTreeSet<BackupId>,
    unswept: Vec<BackupStoreError>,
    is_full: bool,
    /// Why nothing can be put in place.
    in_the_way: Option<BackupStoreError>,
    broken_drills: VecDeque<BackupStoreError>,
    left_drills: Vec<BackupId>,
    not_put_back: NotPutBack,
    warnings: Vec<String>,
    mounts: Vec<SourceMount>,
    expected_mounts: Vec<String>,
    /// Each tier that does not take it, and why.
    refused: Vec<(TierName, String)>,
    /// Where what was moved is, the newest move last.
    moves: Vec<(BackupId, TierName)>,
    incomplete: bool,
    unwell: Vec<UnwellTier>,
    /// What was done to take backups and to restore them, in order.
    steps: Vec<&'static str>,
    /// The newest backup of each chain that was put in place, in order.
    placed: Vec<BackupId>,
    /// So many more are not put in place.
    unplaceable: u32,
}

/// Stores nothing but manifests.
#[derive(Default)]
pub(in crate::services::backup) struct FakeStore {
    behaviour: Arc<Mutex<Behaviour>>,
    moved: Condvar,
}

impl FakeStore {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Behaviour) -> T) -> T {
        let done = work(&mut self.behaviour.lock());
        self.moved.notify_all();
        done
    }

    /// A tier did not take what was last brought to it.
    pub(super) fn be_unwell(&self, tier: &TierName, failed_at: Timestamp) {
        let unwell = UnwellTier {
            tier: tier.clone(),
            failed_at,
            why: "it is away".to_owned(),
            rests_until: None,
        };
        self.with(|it| it.unwell.push(unwell));
    }

    /// The next backup that is taken fails so.
    pub(super) fn fail_next(&self, error: BackupStoreError) {
        self.with(|it| it.failures.push_back(error));
    }

    /// Who asks what it holds waits from now on, or no longer.
    pub(super) fn be_silent(&self, is_silent: bool) {
        self.with(|it| it.is_silent = is_silent);
    }

    /// Whether somebody waits for what it holds.
    pub(super) fn is_asked(&self) -> bool {
        self.with(|it| it.is_asked)
    }

    /// Backups wait from now on.
    pub(super) fn hang(&self) {
        self.with(|it| it.hangs = true);
    }

    pub(super) fn go_on(&self) {
        self.with(|it| it.hangs = false);
    }

    /// Restores end only when they are cancelled.
    pub(super) fn stage_until_cancelled(&self) {
        self.with(|it| it.stages_until_cancelled = true);
    }

    /// Backups end only when they are cancelled, or as ever.
    pub(super) fn take_until_cancelled(&self, until: bool) {
        self.with(|it| it.takes_until_cancelled = until);
    }

    /// Whether what may be cancelled was told to end.
    pub(super) fn is_told_to_end(&self) -> bool {
        let it = self.behaviour.lock();
        it.stop
            .as_ref()
            .is_some_and(CancellationToken::is_cancelled)
    }

    pub(super) fn hanging(&self) -> bool {
        self.with(|it| it.hanging)
    }

    /// Nothing can be swept or moved to the trash from now on.
    pub(super) fn fail_upkeep(&self, error: BackupStoreError) {
        self.with(|it| it.unswept.push(error));
    }

    /// Nothing can be put in place from now on.
    pub(super) fn be_in_the_way(&self, why: BackupStoreError) {
        self.with(|it| it.in_the_way = Some(why));
    }

    /// The next drill ends so.
    pub(super) fn break_drill(&self, error: BackupStoreError) {
        self.with(|it| it.broken_drills.push_back(error));
    }

    /// A crash has cut off a drill of this one.
    pub(super) fn leave_drill(&self, id: &BackupId) {
        self.with(|it| it.left_drills.push(id.clone()));
    }

    /// It has no room to speak of from now on.
    pub(super) fn fill(&self) {
        self.with(|it| it.is_full = true);
    }

    pub(super) fn damage(&self, id: &BackupId) {
        self.with(|it| it.damaged.insert(id.clone()));
    }

    /// Every backup from now on has this to say.
    pub(super) fn warn(&self, text: &str) {
        self.with(|it| it.warnings.push(text.to_owned()));
    }

    /// Every backup from now on finds these mounted, or empty.
    pub(super) fn mount(&self, path: &str, vanished: bool) {
        let path = path.to_owned();
        self.with(|it| it.mounts = vec![SourceMount { path, vanished }]);
    }

    /// What the newest backup was to find mounted.
    pub(super) fn expected_mounts(&self) -> Vec<String> {
        self.behaviour.lock().expected_mounts.clone()
    }

    /// Nobody can tell what was committed, for this reason, or everybody can.
    pub(super) fn keep_away(&self, why: Option<&str>) {
        self.with(|it| it.away = why.map(str::to_owned));
    }

    /// A backup is one that the first version took.
    pub(super) fn be_of_format_1(&self, id: &BackupId) {
        self.with(|it| it.manifests.get_mut(id).unwrap().format = 1);
    }

    /// A tier takes nothing from now on.
    pub(super) fn refuse(&self, tier: &TierName, why: &str) {
        self.with(|it| it.refused.push((tier.clone(), why.to_owned())));
    }

    /// Every tier takes what is brought to it from now on.
    pub(super) fn refuse_nothing(&self) {
        self.with(|it| it.refused.clear());
    }

    /// What was moved, and where to, in order.
    pub(super) fn moves(&self) -> Vec<(BackupId, TierName)> {
        self.with(|it| it.moves.clone())
    }

    /// Every backup from now on is incomplete, for this reason.
    pub(super) fn leave_gaps(&self, why: &str) {
        self.warn(why);
        self.with(|it| it.incomplete = true);
    }

    /// Its files are gone.
    pub(super) fn lose(&self, id: &BackupId) {
        self.with(|it| it.lost.insert(id.clone()));
    }

    /// The manifest of a backup is gone, and this is how long its archive is.
    pub(super) fn lose_manifest(&self, id: &BackupId, bytes: u64) {
        self.with(|it| {
            it.manifests.remove(id);
            it.orphans.push((id.clone(), bytes));
        });
    }

    /// Something lies there that is not taken up, for this reason.
    pub(super) fn leave_out(&self, why: &str) {
        self.with(|it| it.left_out.push(why.to_owned()));
    }

    /// Restores have no place for this document from now on.
    pub(super) fn have_no_place_for(&self, key: &str) {
        self.with(|it| {
            it.not_put_back.documents += 1;
            it.not_put_back.first.push(key.to_owned());
        });
    }

    pub(super) fn mend(&self) {
        self.with(|it| it.damaged.clear());
    }

    pub(super) fn keep_from_deletion(&self, id: &BackupId) {
        self.with(|it| it.undeletable.insert(id.clone()));
    }

    pub(super) fn denied(&self) -> u32 {
        self.with(|it| it.denied)
    }

    pub(super) fn taken(&self) -> u32 {
        self.with(|it| it.taken)
    }

    /// What was asked of the newest backup.
    pub(super) fn unreadable(&self) -> Option<Unreadable> {
        self.with(|it| it.unreadable)
    }

    pub(super) fn most_at_once(&self) -> u32 {
        self.with(|it| it.most)
    }

    /// How often those were ended that a crash cut off.
    pub(super) fn restores_ended(&self) -> u32 {
        self.with(|it| it.restores_ended)
    }

    pub(super) fn sweeps(&self) -> u32 {
        self.with(|it| it.sweeps)
    }

    pub(super) fn known(&self) -> BTreeSet<BackupId> {
        self.with(|it| it.known.clone())
    }

    pub(super) fn restores(&self) -> usize {
        let steps = self.steps();
        steps.iter().filter(|step| **step == "placed").count()
    }

    pub(super) fn steps(&self) -> Vec<&'static str> {
        self.with(|it| it.steps.clone())
    }

    /// What was put in place, in order.
    pub(super) fn placed(&self) -> Vec<BackupId> {
        self.with(|it| it.placed.clone())
    }

    /// The next so many cannot be put in place.
    pub(super) fn fail_to_place(&self, count: u32) {
        self.with(|it| it.unplaceable = count);
    }

    pub(super) fn holds(&self, id: &BackupId) -> bool {
        self.with(|it| it.manifests.contains_key(id))
    }

    pub(super) fn has_in_trash(&self, id: &BackupId) -> bool {
        self.with(|it| it.trashed.contains(id))
    }

    fn check(&self, chain: &[BackupId]) -> Result<RestoredTree, BackupStoreError> {
        let damaged = self.with(|it| chain.iter().find(|id| it.damaged.contains(*id)).cloned());
        match damaged {
            Some(id) => Err(BackupStoreError::Corrupted {
                id,
                what: "a bit was flipped".to_owned(),
            }),
            None => Ok(RestoredTree {
                documents: 1,
                bytes: 2,
                not_put_back: self.with(|it| it.not_put_back.clone()),
                notes: Vec::new(),
            }),
        }
    }
}

struct FakeStaged {
    behaviour: Arc<Mutex<Behaviour>>,
    restored: RestoredTree,
    newest: Option<BackupId>,
}

impl StagedRestore for FakeStaged {
    fn place(self: Box<Self>) -> Result<RestoredTree, BackupStoreError> {
        let Self {
            behaviour,
            restored,
            newest,
        } = *self;
        let mut it = behaviour.lock();
        if it.unplaceable > 0 {
            it.unplaceable -= 1;
            return Err(BackupStoreError::Unavailable("no room".to_owned()));
        }
        it.steps.push("placed");
        it.placed.extend(newest);
        Ok(restored)
    }
}

/// Lies nowhere, and took two seconds.
#[derive(Debug)]
struct FakeDrilled(RestoredTree);

impl DrilledTree for FakeDrilled {
    fn path(&self) -> &Path {
        Path::new("/scratch")
    }

    fn restored(&self) -> &RestoredTree {
        &self.0
    }

    fn took(&self) -> Duration {
        Duration::from_secs(2)
    }
}

/// Nothing, and `one` as the content of everything.
impl BackupContents for FakeStore {
    fn state(
        &self,
        _: &JobName,
        chain: &[BackupId],
        _: &OnProgress,
    ) -> Result<State, BackupStoreError> {
        self.check(chain)?;
        Ok(State::default())
    }

    fn live(
        &self,
        _: (&[BackupSource], &ReadingSpec),
        _: &OnProgress,
    ) -> Result<LiveState, BackupStoreError> {
        Ok(LiveState::default())
    }

    fn content(
        &self,
        _: &JobName,
        chain: &[BackupId],
        _: &DocumentKey,
        _: &OnProgress,
        on_content: &mut OnContent<'_>,
    ) -> Result<(), BackupStoreError> {
        self.check(chain)?;
        on_content(b"one")
    }
}

impl BackupStore for FakeStore {
    fn cancellable(self: Arc<Self>) -> (Arc<dyn BackupStore>, CancellationToken) {
        let stop = CancellationToken::new();
        self.with(|it| it.stop = Some(stop.clone()));
        let store: Arc<dyn BackupStore> = self;
        (store, stop)
    }

    fn with_identities(self: Arc<Self>, _: GivenIdentities) -> Arc<dyn BackupStore> {
        self
    }

    fn take(&self, request: &TakeBackup, _: &OnProgress) -> Result<TakenBackup, BackupStoreError> {
        let mut it = self.behaviour.lock();
        it.taken += 1;
        it.steps.push("taken");
        it.unreadable = Some(request.unreadable);
        it.expected_mounts.clone_from(&request.mounts);
        it.running += 1;
        it.most = it.most.max(it.running);
        while it.takes_until_cancelled {
            it.hanging = true;
            let stop = it.stop.as_ref();
            if stop.is_some_and(CancellationToken::is_cancelled) {
                it.hanging = false;
                it.running -= 1;
                return Err(BackupStoreError::Interrupted);
            }
            // Nobody tells this thread of it.
            let _ = self.moved.wait_for(&mut it, Duration::from_millis(1));
        }
        while it.hangs {
            it.hanging = true;
            self.moved.wait(&mut it);
        }
        it.hanging = false;
        it.running -= 1;
        let failure = it.failures.pop_front();
        let is_stored = matches!(&failure, None | Some(BackupStoreError::InDoubt(_)));
        if let Some(error) = failure.clone().filter(|_| !is_stored) {
            return Err(error);
        }
        let parent = request.chain.last().map(|id| ParentLink {
            id: id.clone(),
            manifest_hash: it.manifests[id].hash().unwrap(),
        });
        let manifest = Manifest {
            format: FORMAT,
            id: request.id.clone(),
            job: request.job.clone(),
            backup_type: request.backup_type,
            parent,
            base: request.chain.first().unwrap_or(&request.id).clone(),
            created_at: request.created_at,
            verified_at: request.created_at,
            elapsed_ms: 1,
            root_hash: ContentHash::of(b""),
            documents: 1,
            tombstones: 0,
            size_bytes: 2,
            stored_bytes: 3,
            stored_hash: ContentHash::of(b""),
            tier: request
                .tiers
                .iter()
                .find(|tier| it.refused.iter().all(|(refused, _)| refused != *tier))
                .unwrap()
                .to_string(),
            compression: Compression::Zstd {
                level: request.compression,
            },
            encryption: Encryption::None,
            sources: vec![],
            incomplete: it.incomplete,
            stored_only: false,
            selection: request.reading.include.contains_key(&request.backup_type),
            signature: None,
        };
        it.manifests.insert(request.id.clone(), manifest.clone());
        match failure {
            Some(in_doubt) => Err(in_doubt),
            None => Ok(TakenBackup {
                manifest,
                warnings: it.warnings.clone(),
                refused: it.refused.clone(),
                mounts: it.mounts.clone(),
            }),
        }
    }

    fn verify(
        &self,
        _: &JobName,
        chain: &[BackupId],
        _: &OnProgress,
    ) -> Result<Vec<String>, BackupStoreError> {
        self.check(chain).map(|_| Vec::new())
    }

    fn stage(
        &self,
        _: &JobName,
        chain: &[BackupId],
        _: &RestorePlace,
        _: &RestoreRules,
        _: &OnProgress,
    ) -> Result<Box<dyn StagedRestore>, BackupStoreError> {
        let restored = self.check(chain)?;
        let mut it = self.behaviour.lock();
        while it.stages_until_cancelled {
            it.hanging = true;
            if it
                .stop
                .as_ref()
                .is_some_and(CancellationToken::is_cancelled)
            {
                return Err(BackupStoreError::Interrupted);
            }
            // Nobody tells this thread of it.
            let _ = self.moved.wait_for(&mut it, Duration::from_millis(1));
        }
        it.steps.push("staged");
        drop(it);
        let behaviour = self.behaviour.clone();
        Ok(Box::new(FakeStaged {
            behaviour,
            restored,
            newest: chain.last().cloned(),
        }))
    }

    fn judge_in_place(
        &self,
        _: &JobName,
        _: &[BackupId],
        _: &[BackupSource],
    ) -> Result<(), BackupStoreError> {
        self.with(|it| it.in_the_way.clone().map_or(Ok(()), Err))
    }

    fn drill(
        &self,
        _: &JobName,
        chain: &[BackupId],
        _: Option<&Path>,
        _: &OnProgress,
    ) -> Result<Box<dyn DrilledTree>, BackupStoreError> {
        self.with(|it| it.broken_drills.pop_front().map_or(Ok(()), Err))?;
        Ok(Box::new(FakeDrilled(self.check(chain)?)))
    }

    fn left_drills(&self) -> Vec<BackupId> {
        self.with(|it| it.left_drills.clone())
    }

    /// Nothing is encrypted; those that are damaged stay.
    fn rekey(
        &self,
        _: &JobName,
        ids: &[BackupId],
        _: &SealingSpec,
        dry_run: bool,
        _: &OnProgress,
    ) -> Result<RekeyedBackups, BackupStoreError> {
        Ok(self.with(|it| {
            let mut rekeyed = RekeyedBackups::default();
            for id in ids {
                match it.manifests.get_mut(id) {
                    Some(manifest) if !it.damaged.contains(id) => {
                        if !dry_run {
                            manifest.stored_bytes = 4;
                        }
                        rekeyed.sealed.push(manifest.clone());
                    }
                    _ => rekeyed.left.push(format!("backup {id} is encrypted")),
                }
            }
            rekeyed
        }))
    }

    fn move_to(&self, _: &JobName, id: &BackupId, tier: &TierName) -> Result<(), BackupStoreError> {
        self.check(std::slice::from_ref(id))?;
        self.with(
            |it| match it.refused.iter().find(|(name, _)| name == tier) {
                Some((_, why)) => Err(BackupStoreError::Unavailable(why.clone())),
                None => {
                    it.moves.push((id.clone(), tier.clone()));
                    Ok(())
                }
            },
        )
    }

    fn trash(&self, _: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.with(|it| match it.unswept.first() {
            Some(error) => Err(error.clone()),
            None => {
                it.trashed.insert(id.clone());
                Ok(())
            }
        })
    }

    fn note_hold(
        &self,
        _: &JobName,
        id: &BackupId,
        hold: Option<&Hold>,
    ) -> Result<(), BackupStoreError> {
        self.with(|it| match hold {
            Some(hold) => drop(it.holds.insert(id.clone(), hold.clone())),
            None => drop(it.holds.remove(id)),
        });
        Ok(())
    }

    fn untrash(&self, _: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.with(|it| {
            if !it.manifests.contains_key(id) {
                return Err(BackupStoreError::Corrupted {
                    id: id.clone(),
                    what: "its manifest is missing".to_owned(),
                });
            }
            it.trashed.remove(id);
            Ok(())
        })
    }

    fn delete(&self, _: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.with(|it| {
            if it.undeletable.contains(id) {
                it.denied += 1;
                return Err(BackupStoreError::Unavailable("it is immutable".to_owned()));
            }
            it.manifests.remove(id);
            Ok(())
        })
    }

    fn has_room(&self) -> bool {
        self.with(|it| !it.is_full)
    }

    fn end_restores(&self, _: &[BackupSource]) -> Vec<BackupStoreError> {
        self.with(|it| it.restores_ended += 1);
        Vec::new()
    }

    fn sweep(&self, known: &BTreeSet<BackupId>) -> Vec<BackupStoreError> {
        self.with(|it| {
            it.sweeps += 1;
            it.known = known.clone();
            it.unswept.clone()
        })
    }

    fn lost(&self, _: &JobName, stored: &[(BackupId, u64)]) -> Vec<BackupStoreError> {
        let lost = |it: &mut Behaviour| {
            let ids = stored.iter().map(|(id, _)| id.clone());
            ids.filter(|id| it.lost.contains(id)).collect::<Vec<_>>()
        };
        let what = "its archive is missing".to_owned();
        self.with(lost)
            .into_iter()
            .map(|id| BackupStoreError::Corrupted {
                id,
                what: what.clone(),
            })
            .collect()
    }

    fn committed(&self, _: &JobName, id: &BackupId) -> Result<Option<Manifest>, BackupStoreError> {
        self.with(|it| match &it.away {
            Some(why) => Err(BackupStoreError::Unavailable(why.clone())),
            None => Ok(it.manifests.get(id).cloned()),
        })
    }

    fn orphans(&self, _: &JobName) -> Result<Vec<OrphanedArchive>, BackupStoreError> {
        Ok(self.with(|it| {
            let orphans = it.orphans.iter().map(|(id, stored_bytes)| OrphanedArchive {
                id: id.clone(),
                stored_bytes: *stored_bytes,
                hold: it.holds.get(id).cloned(),
            });
            orphans.collect()
        }))
    }

    fn unwell_tiers(&self) -> Vec<UnwellTier> {
        self.with(|it| it.unwell.clone())
    }

    fn jobs(&self) -> Result<Vec<JobName>, BackupStoreError> {
        let mut it = self.behaviour.lock();
        while it.is_silent {
            it.is_asked = true;
            self.moved.wait(&mut it);
        }
        it.is_asked = false;
        let manifests = it.manifests.values();
        let jobs: BTreeSet<JobName> = manifests.map(|manifest| manifest.job.clone()).collect();
        Ok(jobs.into_iter().collect())
    }

    fn stored(
        &self,
        job: &JobName,
        known: &BTreeSet<BackupId>,
        _: StoredLook,
    ) -> Result<StoredBackups, BackupStoreError> {
        let stored = |manifest: &Manifest, moves: &[(BackupId, TierName)]| StoredBackup {
            tier: moves
                .iter()
                .rfind(|(id, _)| *id == manifest.id)
                .map_or_else(
                    || TierName::parse(&manifest.tier).unwrap(),
                    |(_, tier)| tier.clone(),
                ),
            manifest: manifest.clone(),
            intact: true,
            in_trash: false,
            hold: None,
        };
        Ok(self.with(|it| {
            let of_job = it
                .manifests
                .values()
                .filter(|manifest| manifest.job == *job && !known.contains(&manifest.id));
            StoredBackups {
                stored: of_job
                    .map(|manifest| StoredBackup {
                        hold: it.holds.get(&manifest.id).cloned(),
                        ..stored(manifest, &it.moves)
                    })
                    .collect(),
                left_out: it.left_out.clone(),
            }
        }))
    }
}

/// Lets everything go, or what it is told.
#[derive(Default)]
pub(in crate::services::backup) struct FakeJudge {
    answer: Mutex<Option<Result<Vec<Verdict>, JudgeError>>>,
    asked: Mutex<Vec<Vec<BackupSummary>>>,
    gate: Mutex<Option<Arc<Semaphore>>>,
}

impl FakeJudge {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn answer(&self, answer: Result<Vec<Verdict>, JudgeError>) {
        *self.answer.lock() = Some(answer);
    }

    /// From now on it thinks until the semaphore has a permit.
    pub(super) fn think(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.gate.lock() = Some(Arc::clone(&gate));
        gate
    }

    pub(super) fn times_asked(&self) -> usize {
        self.asked.lock().len()
    }

    /// The identifiers that it was asked about, each time.
    pub(super) fn asked_about(&self) -> Vec<Vec<String>> {
        let ids =
            |backups: &Vec<BackupSummary>| backups.iter().map(|backup| backup.id.clone()).collect();
        self.asked.lock().iter().map(ids).collect()
    }

    /// When this one was verified, as it was told the last time.
    pub(super) fn told_verified(&self, id: &BackupId) -> Option<Timestamp> {
        let asked = self.asked.lock();
        let mut told = asked.iter().flatten();
        told.rfind(|backup| backup.id == id.as_str())?.verified_at
    }
}

impl RetentionJudge for FakeJudge {
    fn judge(
        &self,
        _: PluginName,
        _: semver::VersionReq,
        _: JobName,
        backups: Vec<BackupSummary>,
        _: Timestamp,
    ) -> crate::ports::Boxed<'_, Result<Vec<Verdict>, JudgeError>> {
        let expire = |backup: &BackupSummary| Verdict {
            id: backup.id.clone(),
            keep: false,
            reason: "too old".to_owned(),
            expires: None,
        };
        let everything = Ok(backups.iter().map(expire).collect());
        self.asked.lock().push(backups);
        let answer = self.answer.lock().clone().unwrap_or(everything);
        let gate = self.gate.lock().clone();
        Box::pin(async move {
            if let Some(gate) = gate {
                drop(gate.acquire().await);
            }
            answer
        })
    }
}

/// Sees every target as it is told to: not at all, until then.
#[derive(Default)]
pub(in crate::services::backup) struct FakeWatch(Mutex<Option<Health>>);

impl FakeWatch {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn show(&self, health: Health) {
        *self.0.lock() = Some(health);
    }
}

impl Watch for FakeWatch {
    fn check_now(
        &self,
        _: TargetName,
    ) -> crate::ports::Boxed<'_, Result<Vec<Observation>, EffectError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn handler_acted(&self, _: &TargetName) {}

    fn is_failing(&self, _: &TargetName, _: &FailureType) -> bool {
        false
    }

    fn health(&self, _: &TargetName) -> Option<(Health, CircuitState)> {
        let health = *self.0.lock();
        health.map(|health| (health, CircuitState::default()))
    }

    fn heartbeat(&self, _: &TargetName) -> bool {
        false
    }
}

/// Notes the commands that it is asked to run, and fails those that it is told to.
#[derive(Default)]
pub(in crate::services::backup) struct FakeCommands {
    ran: Mutex<Vec<String>>,
    told: Mutex<Vec<BTreeMap<String, String>>>,
    failing: Mutex<Vec<&'static str>>,
    /// With their values.
    served: Mutex<Vec<Vec<(String, String)>>>,
    has_no_room: Mutex<bool>,
    has_no_port: Mutex<bool>,
    ended: Mutex<Vec<String>>,
}

impl FakeCommands {
    pub(super) fn ran(&self) -> Vec<String> {
        self.ran.lock().clone()
    }

    /// The environments of what ran.
    pub(super) fn told(&self) -> Vec<BTreeMap<String, String>> {
        self.told.lock().clone()
    }

    /// This one ends with exit code 1 from now on.
    pub(super) fn fail(&self, name: &'static str) {
        self.failing.lock().push(name);
    }

    pub(super) fn mend(&self) {
        self.failing.lock().clear();
    }

    /// The values of those that were to serve.
    pub(super) fn served(&self) -> Vec<Vec<(String, String)>> {
        self.served.lock().clone()
    }

    /// The host can start none from now on.
    pub(super) fn cannot_start(&self) {
        *self.has_no_room.lock() = true;
    }

    /// Somebody takes the port that was given, from now on.
    pub(super) fn lose_port(&self) {
        *self.has_no_port.lock() = true;
    }

    /// What was to end, by its key.
    pub(super) fn ended(&self) -> Vec<String> {
        self.ended.lock().clone()
    }
}

impl Commands for FakeCommands {
    fn serve(
        &self,
        name: CommandName,
        _: CommandSpec,
        values: Vec<(String, String)>,
        _: String,
        until: Boxed<'static, ()>,
    ) -> Boxed<'_, Result<ServedCommand, EffectError>> {
        let fails = self.failing.lock().contains(&name.as_str());
        let has_no_room = *self.has_no_room.lock();
        self.served.lock().push(values);
        Box::pin(async move {
            if has_no_room {
                return Err(EffectError::Unavailable(
                    "there are no processes left".to_owned(),
                ));
            }
            if !fails {
                until.await;
            }
            Ok(ServedCommand {
                exit_code: fails.then_some(3),
                last_lines: Some("it said this".to_owned()),
            })
        })
    }

    fn free_port(&self) -> Result<u16, String> {
        Ok(4321)
    }

    fn is_port_taken(&self, port: u16) -> bool {
        port == 4321 && *self.has_no_port.lock()
    }

    fn end(&self, key: String) -> Boxed<'_, ()> {
        self.ended.lock().push(key);
        Box::pin(std::future::ready(()))
    }

    fn run(
        &self,
        name: CommandName,
        spec: CommandSpec,
        _: Vec<(String, String)>,
        _: String,
        _: u64,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        let fails = self.failing.lock().contains(&name.as_str());
        self.ran.lock().push(name.to_string());
        self.told.lock().push(spec.env);
        Box::pin(std::future::ready(Ok(CommandOutput {
            exit_code: fails.into(),
            stdout: Vec::new().into(),
            stderr: Vec::new().into(),
            truncated: false,
        })))
    }

    fn run_foreign(
        &self,
        _: TargetName,
        _: Vec<String>,
        _: std::path::PathBuf,
        _: Duration,
        _: RunAs,
    ) -> Boxed<'_, Result<CommandOutput, EffectError>> {
        unreachable!("it runs named commands alone")
    }
}

/// A full each day, an incremental each quarter of an hour, within the hour.
pub(super) fn job(retention: Option<RetentionSpec>) -> JobSpec {
    JobSpec {
        name: JobName::parse("state").unwrap(),
        sources: vec![BackupSource::Directory {
            path: "/data".into(),
            prefix: String::new(),
        }],
        reading: ReadingSpec::default(),
        after: Vec::new(),
        full: Some(Schedule::Every(24 * HOUR)),
        differential: None,
        incremental: Some(Schedule::Every(QUARTER)),
        rpo: Some(HOUR),
        stale_after: None,
        compression: 3,
        shrink_guard: None,
        hooks: HookSpec::default(),
        retention,
        checkpoints: None,
        proofs: mainstay_domain::spec::ProofSchedules::default(),
        drill: mainstay_domain::spec::RestoreDrillSpec::default(),
        starts: mainstay_domain::spec::StartSpec::default(),
        archive: None,
        tiers: Default::default(),
        sealing: mainstay_domain::spec::SealingSpec::default(),
    }
}

pub(super) fn spec_with(jobs: &[JobSpec]) -> Arc<Spec> {
    let nothing = specs::spec(Vec::new());
    Arc::new(Spec {
        jobs: jobs.to_vec(),
        ..Spec::clone(&nothing)
    })
}

pub(super) fn record_of(service: &BackupService, id: &BackupId) -> BackupRecord {
    service
        .list(None)
        .into_iter()
        .find(|record| &record.id == id)
        .unwrap()
}
