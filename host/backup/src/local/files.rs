//! Where backups lie, and how files are made durable and private.
//!
//! Length: the names of a store's files, and how each comes and goes, are one agreement.

use super::{
    durable,
    error::unavailable,
    keys::Keys,
    lane::{Lane, Lanes, Patience},
    mounted::Mounted,
    objects::Objects,
    pace::{AtOnce, Pace},
    place::Place,
    removal::remove_tree,
    spot::Spot,
};
use crate::port::{
    BackupKeys, BackupStoreError, GivenIdentities, HostPlace, HostPlaces, TierPace, TierPlace,
    TierPlaces,
};
use mainstay_domain::{
    archive::Encryption,
    id::BackupId,
    name::{JobName, TierName},
    tier_circuit::TierCircuit,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    iter,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

const ARCHIVE: &str = ".jsonl.zst";
/// An archive that is encrypted.
pub(super) const SEALED: &str = ".jsonl.zst.age";
/// How archives are called.
pub(super) const ARCHIVES: [&str; 2] = [ARCHIVE, SEALED];
pub(super) const MANIFEST: &str = ".json";
const INDEX: &str = ".index.zst";
const PARTIAL: &str = ".partial";
/// What tells who holds a backup.
pub(super) const HOLD: &str = ".hold";

/// The paths of the store: those of the tier in the state directory, where what is no backup is too, and those of the others.
#[derive(Clone)]
pub(super) struct Layout {
    root: PathBuf,
    tiers: TierPlaces,
    circuits: Circuits,
    /// Those of the other tiers.
    lanes: Lanes,
    /// That of this one, where it is one of those.
    lane: Option<Lane>,
    keys: Keys,
    state_dir: PathBuf,
    /// What else is the host's own.
    host: HostPlaces,
    /// What this tier is called.
    name: TierName,
    pace: Arc<dyn TierPace>,
}

/// What is known of the tiers beside the one in the state directory, of all jobs.
pub(super) type Circuits = Arc<Mutex<HashMap<TierName, TierCircuit>>>;

impl Layout {
    pub(super) fn new(state_dir: &Path, tiers: TierPlaces) -> Self {
        let root = state_dir.join("backups");
        Self {
            tiers,
            circuits: Circuits::default(),
            lanes: Lanes::new(Patience::default(), CancellationToken::new()),
            lane: None,
            keys: Keys::new(state_dir, &root),
            root,
            state_dir: state_dir.to_owned(),
            host: Arc::new(Vec::<HostPlace>::new),
            name: TierName::local(),
            pace: Arc::new(AtOnce),
        }
    }

    /// The same store, whose other tiers are asked in these.
    pub(super) fn asking(self, lanes: Lanes) -> Self {
        Self { lanes, ..self }
    }

    /// That of one tier, which knows of no other.
    fn alone(&self, name: TierName, root: PathBuf, lane: Option<Lane>) -> Self {
        Self {
            root,
            tiers: Arc::new(Vec::<(TierName, TierPlace)>::new),
            circuits: Circuits::default(),
            lanes: self.lanes.clone(),
            lane,
            keys: self.keys.clone(),
            state_dir: self.state_dir.clone(),
            host: Arc::clone(&self.host),
            name,
            pace: Arc::clone(&self.pace),
        }
    }

    pub(super) fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    /// The tiers beside this one.
    pub(super) fn others(&self) -> Vec<(TierName, Arc<dyn Place>)> {
        let place = |name: TierName, place: TierPlace| -> Arc<dyn Place> {
            match place {
                TierPlace::Directory(root) => {
                    let (tier, lane) = self.in_lane(name, root);
                    Arc::new(Mounted::new(tier, lane))
                }
                TierPlace::Bucket(bucket) => Arc::new(Objects {
                    bucket,
                    pace: Pace::new(Arc::clone(&self.pace), name),
                }),
            }
        };
        let tiers = (self.tiers)().into_iter();
        tiers
            .map(|(name, it)| (name.clone(), place(name, it)))
            .collect()
    }

    /// One of them.
    pub(super) fn other(&self, tier: &TierName) -> Option<Arc<dyn Place>> {
        let mut others = self.others().into_iter();
        others.find(|(name, _)| name == tier).map(|(_, it)| it)
    }

    /// This tier and those beside it, each alone.
    pub(super) fn places(&self) -> Vec<Arc<dyn Place>> {
        let others = self.others().into_iter().map(|(_, other)| other);
        let here: Arc<dyn Place> = Arc::new(self.here());
        iter::once(here).chain(others).collect()
    }

    /// The tiers beside this one that are directories of this machine, each alone, and in which lane it is to be asked.
    pub(super) fn other_directories(&self) -> Vec<(Self, Lane)> {
        let tiers = (self.tiers)().into_iter();
        let directories = tiers.filter_map(|(name, place)| match place {
            TierPlace::Directory(root) => Some(self.in_lane(name, root)),
            TierPlace::Bucket(_) => None,
        });
        directories.collect()
    }

    fn in_lane(&self, name: TierName, root: PathBuf) -> (Self, Lane) {
        let lane = self.lanes.of(&root);
        (self.alone(name, root, Some(lane.clone())), lane)
    }

    /// What this tier is called.
    pub(super) fn name(&self) -> &TierName {
        &self.name
    }

    /// This tier alone.
    fn here(&self) -> Self {
        self.alone(self.name.clone(), self.root.clone(), self.lane.clone())
    }

    /// Those in which a backup of a job may be. A bucket is asked after the directories, and only where backups of the job were
    /// stored in it: each question goes over a network.
    pub(super) fn places_of(&self, job: &JobName) -> Vec<(TierName, Arc<dyn Place>)> {
        let others = self.others().into_iter();
        let (mut places, buckets): (Vec<_>, Vec<_>) =
            others.partition(|(_, other)| other.directory().is_some());
        let is_noted = |(tier, _): &(TierName, Arc<dyn Place>)| self.is_noted(job, tier);
        places.extend(buckets.into_iter().filter(is_noted));
        let here: Arc<dyn Place> = Arc::new(self.here());
        iter::once((self.name.clone(), here))
            .chain(places)
            .collect()
    }

    /// The copy of the mark of a job's store in another tier.
    pub(super) fn note(&self, job: &JobName, tier: &TierName) -> PathBuf {
        self.job(job).join(format!("tier-{tier}.json"))
    }

    /// Whether backups of a job were stored in another tier, or may have been.
    pub(super) fn is_noted(&self, job: &JobName, tier: &TierName) -> bool {
        self.note(job, tier).try_exists().unwrap_or(true)
    }

    /// The tiers that hold anything of a backup, each alone. None where it is in none; an error where one that may hold it cannot
    /// be asked and no other does.
    pub(super) fn holders(
        &self,
        job: &JobName,
        id: &BackupId,
    ) -> Result<Vec<Arc<dyn Place>>, BackupStoreError> {
        let (mut found, mut away) = (Vec::new(), None);
        for (tier, place) in self.places_of(job) {
            match place.has(job, id) {
                Ok(true) => found.push(place),
                Ok(false) => {}
                Err(error) if self.is_noted(job, &tier) => away = away.or(Some(error)),
                Err(_) => {}
            }
        }
        match away {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// Whether there is any file of a backup, in its place or in the trash.
    pub(super) fn holds(&self, job: &JobName, id: &BackupId) -> bool {
        let directories = [self.job(job), self.trash_of(job)];
        directories.iter().any(|directory| {
            let mut files = [ARCHIVE, SEALED, MANIFEST].into_iter();
            files
                .any(|suffix| fs::symlink_metadata(directory.join(format!("{id}{suffix}"))).is_ok())
        })
    }

    /// The same store at this pace.
    pub(super) fn with_pace(self, pace: Arc<dyn TierPace>) -> Self {
        Self { pace, ..self }
    }

    /// How fast bytes come from this tier, or go to it.
    pub(super) fn own_pace(&self) -> Pace {
        Pace::new(Arc::clone(&self.pace), self.name.clone())
    }

    /// A file of this tier.
    pub(super) fn spot(&self, path: PathBuf) -> Spot {
        Spot::File(path, self.own_pace(), self.lane.clone())
    }

    /// The same store of a host that has these places too.
    pub(super) fn with_host_places(self, host: HostPlaces) -> Self {
        Self { host, ..self }
    }

    /// What is the host's own beside its state.
    pub(super) fn host_places(&self) -> Vec<HostPlace> {
        (self.host)()
    }

    /// The state directory of the host, wherever its backups are.
    pub(super) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The same store in another place.
    pub(super) fn with_root(self, root: PathBuf) -> Self {
        Self {
            keys: self.keys.beside(&root),
            root,
            ..self
        }
    }

    /// The same store, worked with by these keys.
    pub(super) fn with_keys(self, keys: Arc<dyn BackupKeys>) -> Self {
        Self {
            keys: self.keys.configured(keys),
            ..self
        }
    }

    /// The same store, which opens with these too.
    pub(super) fn given(self, given: GivenIdentities) -> Self {
        Self {
            keys: self.keys.given(given),
            ..self
        }
    }

    /// What its archives are opened with, and its manifests signed.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The directory that holds everything, the jobs' own directories below it.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn job(&self, job: &JobName) -> PathBuf {
        self.root.join(job.as_str())
    }

    /// Where its backups wait that have expired.
    pub(super) fn trash_of(&self, job: &JobName) -> PathBuf {
        self.job(job).join("trash")
    }

    pub(super) fn index(&self, job: &JobName, id: &BackupId) -> PathBuf {
        self.job(job).join(format!("{id}{INDEX}"))
    }

    /// The name of a file that is not finished.
    pub(super) fn partial(&self, job: &JobName, id: &BackupId, what: &str) -> PathBuf {
        self.job(job).join(format!("{id}.{what}{PARTIAL}"))
    }

    pub(super) fn scratch(&self, job: &JobName) -> PathBuf {
        self.job(job).join("drill")
    }

    /// Where a new archive goes that is encrypted so.
    pub(super) fn archive(&self, job: &JobName, id: &BackupId, encryption: &Encryption) -> PathBuf {
        self.job(job).join(format!("{id}{}", suffix_of(encryption)))
    }

    /// Where a new manifest goes.
    pub(super) fn manifest(&self, job: &JobName, id: &BackupId) -> PathBuf {
        self.job(job).join(format!("{id}{MANIFEST}"))
    }

    /// Where an archive and its manifest are, in whichever tier: in the trash where they are not in their place. Where no tier has
    /// the manifest it is where a new one would go; but where one cannot be asked that is the error.
    pub(super) fn find(
        &self,
        job: &JobName,
        id: &BackupId,
    ) -> Result<(Spot, Spot), BackupStoreError> {
        let mut away = None;
        for (tier, place) in self.places_of(job) {
            match place.find_here(job, id) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(error) if self.is_noted(job, &tier) => away = away.or(Some(error)),
                // Nothing of the job is in it.
                Err(_) => {}
            }
        }
        let here = [archive_in(&self.job(job), id), self.manifest(job, id)];
        let [archive, manifest] = here.map(|path| self.spot(path));
        away.map_or(Ok((archive, manifest)), Err)
    }

    /// Moves archive and manifest to the trash. The manifest goes last, so that a crash between leaves a backup that
    /// `find` sees in one place or a leftover, never one that looks whole and is not. What is whole in the trash is not
    /// replaced by an archive that lies in its place without a manifest.
    pub(super) fn trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        let trash = self.trash_of(job);
        create_private_dir(&trash)?;
        let is_whole_there =
            trash.join(format!("{id}{MANIFEST}")).exists() && archive_in(&trash, id).exists();
        let moved = match is_whole_there && !self.manifest(job, id).exists() {
            true => Vec::new(),
            false => vec![archive_in(&self.job(job), id), self.manifest(job, id)],
        };
        for path in moved {
            let Some(name) = path.file_name() else {
                continue;
            };
            ignore_not_found(durable::rename(&path, &trash.join(name)))
                .map_err(unavailable("cannot move to the trash", &path))?;
        }
        remove_file(&self.index(job, id))?;
        sync_dir(&trash)?;
        sync_dir(&self.job(job))
    }

    /// Moves archive and manifest from the trash back to their place. The manifest goes first, so that a crash between leaves what
    /// [`Self::sweep`] moves to the trash again. What is whole in its place is not replaced.
    pub(super) fn untrash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        let (place, trash) = (self.job(job), self.trash_of(job));
        let manifest = self.manifest(job, id);
        let is_whole_here = manifest.exists() && archive_in(&place, id).exists();
        if is_whole_here || !trash.exists() {
            return Ok(());
        }
        for path in [
            trash.join(format!("{id}{MANIFEST}")),
            archive_in(&trash, id),
        ] {
            let Some(name) = path.file_name() else {
                continue;
            };
            ignore_not_found(durable::rename(&path, &place.join(name)))
                .map_err(unavailable("cannot move out of the trash", &path))?;
            // An archive is never durable here before its manifest.
            sync_dir(&place)?;
            sync_dir(&trash)?;
        }
        Ok(())
    }

    /// Deletes from the trash, and from its place what could not be moved there; the manifest first, so that what is half
    /// deleted looks like no backup.
    pub(super) fn delete(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        let places = [self.trash_of(job), self.job(job)];
        for suffix in [MANIFEST, ARCHIVE, SEALED, INDEX, HOLD] {
            for place in &places {
                remove_file(&place.join(format!("{id}{suffix}")))?;
            }
        }
        let mut there = places.iter().filter(|place| place.exists());
        there.try_for_each(|place| sync_dir(place))
    }

    /// Removes the indexes of a job, of whatever chain.
    pub(super) fn remove_indexes(&self, job: &JobName) -> Result<(), BackupStoreError> {
        let place = self.job(job);
        for name in names_in(&place)? {
            let id = name.strip_suffix(INDEX).map(BackupId::parse);
            if id.is_some_and(|id| id.is_ok()) {
                remove_file(&place.join(&name))?;
            }
        }
        Ok(())
    }

    /// The jobs that have a directory.
    pub(super) fn jobs(&self) -> Result<Vec<JobName>, BackupStoreError> {
        let names = names_in(&self.root)?;
        Ok(names
            .iter()
            .filter_map(|name| JobName::parse(name).ok())
            .collect())
    }

    /// The manifests of a job, and whether each is in the trash.
    pub(super) fn manifests(
        &self,
        job: &JobName,
    ) -> Result<Vec<(PathBuf, bool)>, BackupStoreError> {
        let mut found = Vec::new();
        for (directory, in_trash) in [(self.job(job), false), (self.trash_of(job), true)] {
            for name in names_in(&directory)? {
                let id = name
                    .strip_suffix(MANIFEST)
                    .and_then(|id| BackupId::parse(id).ok());
                found.extend(id.map(|_| (directory.join(&name), in_trash)));
            }
        }
        Ok(found)
    }

    /// Removes partial files, archives and indexes without a manifest, and the scratch directory of a drill. What has no
    /// name that the store gives is somebody else's. Gives what is `known` and lies there without a manifest: it stays.
    pub(super) fn sweep(
        &self,
        job: &JobName,
        known: &BTreeSet<BackupId>,
    ) -> Result<BTreeSet<BackupId>, BackupStoreError> {
        remove_tree(&self.scratch(job))?;
        let (place, trash) = (self.job(job), self.trash_of(job));
        let mut without_manifest = BTreeSet::new();
        // Where one of them cannot be listed nothing is removed: then nobody could take up what is known by its name alone.
        let listed = [(&place, names_in(&place)?), (&trash, names_in(&trash)?)];
        for (directory, names) in listed {
            for name in names {
                let Some((id, rest)) = name.split_once('.') else {
                    continue;
                };
                let Ok(id) = BackupId::parse(id) else {
                    continue;
                };
                let is_partial = name.ends_with(PARTIAL);
                let needs_manifest = [ARCHIVE, SEALED, INDEX]
                    .iter()
                    .any(|it| it.get(1..) == Some(rest));
                // A crash while moving to the trash leaves the archive there and the manifest here. One that cannot be
                // looked for may be there.
                let manifest = format!("{id}{MANIFEST}");
                // An index stays here, wherever its backup is.
                let is_index = INDEX.get(1..) == Some(rest);
                let has_manifest = || {
                    directory.join(&manifest).try_exists().unwrap_or(true)
                        || (directory == &trash
                            && place.join(&manifest).try_exists().unwrap_or(true))
                        || (is_index && self.is_known_anywhere(job, &id))
                };
                if !is_partial && (!needs_manifest || has_manifest()) {
                    continue;
                }
                if !is_partial && known.contains(&id) {
                    without_manifest.insert(id);
                } else {
                    remove_file(&directory.join(&name))?;
                }
            }
        }
        self.finish_trashing(job)?;
        Ok(without_manifest)
    }

    /// Whether any tier has the manifest of a backup, or may have it.
    fn is_known_anywhere(&self, job: &JobName, id: &BackupId) -> bool {
        let found = self.find(job, id).and_then(|(_, it)| it.try_exists());
        found.unwrap_or(true)
    }

    /// Moves the manifests whose archive is in the trash after it.
    fn finish_trashing(&self, job: &JobName) -> Result<(), BackupStoreError> {
        for (manifest, in_trash) in self.manifests(job)? {
            let name = manifest
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_suffix(MANIFEST));
            let Some(id) = name.and_then(|id| BackupId::parse(id).ok()) else {
                continue;
            };
            let trashed = archive_in(&self.trash_of(job), &id);
            if !in_trash && !archive_in(&self.job(job), &id).exists() && trashed.exists() {
                self.trash(job, &id)?;
            }
        }
        Ok(())
    }
}

/// What the name of an archive ends with that is encrypted so.
pub(super) fn suffix_of(encryption: &Encryption) -> &'static str {
    match encryption {
        Encryption::None => ARCHIVE,
        Encryption::Age { .. } => SEALED,
    }
}

/// The archive of a backup in a directory, under the name that it has there.
pub(super) fn archive_in(directory: &Path, id: &BackupId) -> PathBuf {
    let sealed = directory.join(format!("{id}{SEALED}"));
    match sealed.exists() {
        true => sealed,
        false => directory.join(format!("{id}{ARCHIVE}")),
    }
}

/// Makes a directory, and those above it, that only their owner can enter.
pub(super) fn create_private_dir(path: &Path) -> Result<(), BackupStoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(unavailable("cannot make", path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes a file that only its owner can read; it must not exist.
pub(super) fn create_private(path: &Path) -> Result<File, BackupStoreError> {
    durable::makes(path);
    let file = OpenOptions::new()
        .write(true)
        .read(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.map_err(unavailable("cannot make", path))
}

/// Writes a file that is there whole or not at all, and never over another.
pub(super) fn write_create_only(path: &Path, bytes: &[u8]) -> Result<(), BackupStoreError> {
    let partial = partial_of(path);
    let written = (|| {
        let mut file = create_private(&partial)?;
        file.write_all(bytes)
            .and_then(|()| durable::sync_file(&file, &partial))
            .map_err(unavailable("cannot write", &partial))?;
        durable::name_new(&partial, path).map_err(unavailable("cannot make", path))
    })();
    let removed = remove_file(&partial);
    written?;
    let durable = removed.and_then(|()| path.parent().map_or(Ok(()), sync_dir));
    if durable.is_err() {
        remove_file(path)?;
    }
    durable
}

/// Writes a file over what is there: that or this is there, whole and durable.
pub(super) fn write_over(path: &Path, bytes: &[u8]) -> Result<(), BackupStoreError> {
    let partial = partial_of(path);
    // A crash may have left it half written.
    remove_file(&partial)?;
    let mut file = create_private(&partial)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| durable::sync_file(&file, &partial))
        .and_then(|()| durable::rename(&partial, path));
    if let Err(error) = written {
        remove_file(&partial)?;
        return Err(unavailable("cannot write", path)(error));
    }
    path.parent().map_or(Ok(()), sync_dir)
}

/// The name of a file as long as it is not whole.
fn partial_of(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(PARTIAL);
    PathBuf::from(partial)
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(path: &Path) -> Result<(), BackupStoreError> {
    durable::sync_directory(path).map_err(unavailable("cannot fsync", path))
}

pub(super) fn remove_file(path: &Path) -> Result<(), BackupStoreError> {
    ignore_not_found(durable::remove(path)).map_err(unavailable("cannot remove", path))
}

pub(super) fn ignore_not_found(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| {
        if error.kind() == ErrorKind::NotFound {
            Ok(())
        } else {
            Err(error)
        }
    })
}

/// The names in a directory, sorted; none where there is no such directory.
pub(super) fn names_in(directory: &Path) -> Result<Vec<String>, BackupStoreError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unavailable("cannot list", directory))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unavailable("cannot list", directory))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
