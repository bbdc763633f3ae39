//! Encrypts what is stored to other recipients.
//!
//! age writes no other header before content that is encrypted already, so that a whole archive is opened and sealed again, piece
//! by piece; what is compressed in it stays as it is. What was built on a backup names its manifest by hash, so that all of one
//! full backup change together: archives and manifests are written beside the old ones, whole and durable; then a note says so,
//! and from there on the new ones take the place of the old, by this process or by the next.
//!
//! Invariant: before the note all is as it was, and after it nothing of the job is read or changed before all is as it is to be.
//! Invariant: a manifest is signed anew only where it counts, and was that of its place in the chain.

use super::{
    check_stop, durable,
    error::unavailable,
    files::{
        ARCHIVES, Layout, create_private, ignore_not_found, names_in, remove_file, sync_dir,
        write_create_only,
    },
    no_manifest,
    read::{is_stored_at, known_manifest, opening},
    regular::{open_regular, read_manifest},
    seal::{OpenedReader, Opening, SealWriter},
    tier::check_noted,
    write::{Hashing, Stored},
};
use crate::port::{BackupStoreError, OnProgress, Progress, RekeyedBackups};
use mainstay_domain::{
    archive::{ContentHash, Encryption, Manifest, ParentLink},
    id::BackupId,
    name::JobName,
};
use std::{
    collections::{BTreeSet, HashMap},
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// Says that the new ones are whole; each line names a backup.
const NOTE: &str = "rekeying";
/// In the name of what is to take the place of another file, after the identifier.
const MARK: &str = ".rekeyed";
const PARTIAL: &str = ".partial";

/// A backup that is looked at.
struct Link {
    manifest: Manifest,
    hash: ContentHash,
    /// Where it is: in its place or in the trash of a tier.
    directory: PathBuf,
    archive: PathBuf,
    /// What opens it, where it is to be sealed again.
    opening: Option<Opening>,
}

/// What was written and is not in place yet.
#[derive(Default)]
struct Staged {
    ids: Vec<String>,
    files: Vec<PathBuf>,
    directories: BTreeSet<PathBuf>,
}

/// Encrypts those of these backups, which are all of one full one, that are not encrypted so.
pub(super) fn rekey(
    layout: &Layout,
    stop: &CancellationToken,
    (job, ids): (&JobName, &[BackupId]),
    to: &Encryption,
    dry_run: bool,
    progress: &OnProgress,
) -> Result<RekeyedBackups, BackupStoreError> {
    let mut found = RekeyedBackups::default();
    let mut links = Vec::new();
    for id in ids {
        match link_of(layout, job, id, to, &mut found.left) {
            Ok(link) => links.push(link),
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => found.left.push(error.to_string()),
        }
    }
    let links = parents_first(links);
    let anew = || links.iter().filter(|link| link.opening.is_some());
    if dry_run || anew().next().is_none() {
        found.sealed = anew().map(|link| link.manifest.clone()).collect();
        return Ok(found);
    }
    let mut staged = Staged::default();
    let done = stage(
        layout,
        stop,
        &links,
        to,
        progress,
        (&mut staged, &mut found),
    );
    let noted = done.and_then(|()| note(layout, job, &staged));
    if let Err(error) = noted {
        // Where it may be noted, what was written is needed.
        if !note_of(layout, job).try_exists().unwrap_or(true) {
            for path in &staged.files {
                if let Err(error) = remove_file(path) {
                    tracing::warn!(%job, %error, "what is left of it is removed at the next start");
                }
            }
        }
        return Err(error);
    }
    finish(layout, job)?;
    Ok(found)
}

fn link_of(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
    to: &Encryption,
    left: &mut Vec<String>,
) -> Result<Link, BackupStoreError> {
    let manifest = known_manifest(layout, job, id)?.ok_or_else(|| no_manifest(id.clone()))?;
    let opening = match is_same(&manifest.encryption, to) {
        true => None,
        false => match opening(layout, &manifest) {
            Ok(opening) => Some(opening),
            Err(BackupStoreError::Locked(why)) => {
                left.push(why);
                None
            }
            Err(error) => return Err(error),
        },
    };
    let (archive, path) = layout.find(job, id);
    let directory = path.parent().map(Path::to_owned).unwrap_or_default();
    let hash = hash_of(&manifest)?;
    Ok(Link {
        manifest,
        hash,
        directory,
        archive,
        opening,
    })
}

fn hash_of(manifest: &Manifest) -> Result<ContentHash, BackupStoreError> {
    let hash = manifest.hash();
    hash.map_err(|error| BackupStoreError::Unavailable(error.to_string()))
}

/// Whether the same keys open both.
fn is_same(one: &Encryption, other: &Encryption) -> bool {
    match (one, other) {
        (Encryption::None, Encryption::None) => true,
        (Encryption::Age { recipients: one }, Encryption::Age { recipients: other }) => {
            let set = |all: &[String]| all.iter().cloned().collect::<BTreeSet<String>>();
            set(one) == set(other)
        }
        _ => false,
    }
}

fn parents_first(links: Vec<Link>) -> Vec<Link> {
    let parents: HashMap<BackupId, Option<BackupId>> = links
        .iter()
        .map(|link| {
            let parent = link
                .manifest
                .parent
                .as_ref()
                .map(|parent| parent.id.clone());
            (link.manifest.id.clone(), parent)
        })
        .collect();
    let depth = |link: &Link| {
        let mut at = Some(&link.manifest.id);
        // No chain is longer than there are links, whatever they say.
        (0..parents.len())
            .take_while(|_| {
                at = at.and_then(|id| parents.get(id)).and_then(Option::as_ref);
                at.is_some()
            })
            .count()
    };
    let mut links: Vec<(usize, Link)> =
        links.into_iter().map(|link| (depth(&link), link)).collect();
    links.sort_by_key(|(depth, _)| *depth);
    links.into_iter().map(|(_, link)| link).collect()
}

/// Writes what is to be in the place of what is there, beside it.
fn stage(
    layout: &Layout,
    stop: &CancellationToken,
    links: &[Link],
    to: &Encryption,
    progress: &OnProgress,
    (staged, found): (&mut Staged, &mut RekeyedBackups),
) -> Result<(), BackupStoreError> {
    let anew = || links.iter().filter(|link| link.opening.is_some());
    let mut done = Progress {
        total: Some(anew().map(|link| link.manifest.documents).sum()),
        total_bytes: Some(anew().map(|link| link.manifest.stored_bytes).sum()),
        ..Progress::default()
    };
    let before: HashMap<&BackupId, ContentHash> = links
        .iter()
        .map(|link| (&link.manifest.id, link.hash))
        .collect();
    let mut after: HashMap<&BackupId, ContentHash> = HashMap::new();
    for link in links {
        let old = &link.manifest;
        let id = &old.id;
        let parent = match &old.parent {
            Some(parent) => match before.get(&parent.id) {
                Some(hash) if *hash != parent.manifest_hash => {
                    found.left.push(format!(
                        "backup {id} is left as it is: its manifest does not belong to this place in the chain"
                    ));
                    continue;
                }
                _ => {
                    let hash = after.get(&parent.id).copied();
                    Some(ParentLink {
                        id: parent.id.clone(),
                        manifest_hash: hash.unwrap_or(parent.manifest_hash),
                    })
                }
            },
            None => None,
        };
        let mut manifest = Manifest {
            parent,
            signature: None,
            ..old.clone()
        };
        let mut is_sealed = false;
        if let Some(opening) = &link.opening {
            let name = layout.archive(&old.job, id, to);
            let target = link.directory.join(name.file_name().unwrap_or_default());
            let path = staged_at(&target, id);
            remove_file(&path)?;
            staged.files.push(path.clone());
            let was = done;
            let sealed = seal_anew((link, opening), &path, to, stop, &mut |bytes| {
                done.bytes += bytes;
                progress(done);
            });
            match sealed {
                Ok(stored) => {
                    manifest.encryption = to.clone();
                    manifest.stored_bytes = stored.bytes;
                    manifest.stored_hash = stored.hash;
                    is_sealed = true;
                }
                // It is as wrong as before, and keeps nobody from the others.
                Err(error @ BackupStoreError::Corrupted { .. }) => {
                    found.left.push(error.to_string());
                    remove_file(&path)?;
                    done = was;
                }
                Err(error) => return Err(error),
            }
            done.documents += old.documents;
        }
        if !is_sealed && manifest.parent == old.parent {
            continue;
        }
        let manifest = layout.keys().host().sign(manifest)?;
        after.insert(id, hash_of(&manifest)?);
        let bytes = manifest
            .to_bytes()
            .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
        let path = staged_at(&link.directory.join(format!("{id}.json")), id);
        remove_file(&path)?;
        staged.files.push(path.clone());
        let mut file = create_private(&path)?;
        file.write_all(&bytes)
            .and_then(|()| durable::sync_file(&file, &path))
            .map_err(unavailable("cannot write", &path))?;
        staged.ids.push(id.to_string());
        staged.directories.insert(link.directory.clone());
        if is_sealed {
            found.sealed.push(manifest);
        }
    }
    staged
        .directories
        .iter()
        .try_for_each(|path| sync_dir(path))
}

/// Opens an archive and writes it sealed to others; every byte that is read is checked, and what was written is read back.
fn seal_anew(
    (link, opening): (&Link, &Opening),
    to: &Path,
    encryption: &Encryption,
    stop: &CancellationToken,
    on_bytes: &mut dyn FnMut(u64),
) -> Result<Stored, BackupStoreError> {
    let (from, old) = (&link.archive, &link.manifest);
    let corrupted = |what: String| BackupStoreError::Corrupted {
        id: old.id.clone(),
        what,
    };
    let failed = |error: io::Error| match (error.kind(), error.raw_os_error()) {
        (ErrorKind::NotFound, _) => corrupted("its archive is missing".to_owned()),
        (_, Some(_)) => unavailable("cannot read", from)(error),
        _ => corrupted(format!("its archive cannot be decrypted: {error}")),
    };
    let cannot = unavailable("cannot write", to);
    let file = open_regular(from).map_err(failed)?;
    let mut raw = BufReader::with_capacity(1 << 18, Hashing::new(file));
    let output = Hashing::new(BufWriter::with_capacity(1 << 18, create_private(to)?));
    let mut sealed = SealWriter::new(output, encryption).map_err(&cannot)?;
    {
        let mut opened = OpenedReader::new(&mut raw, opening).map_err(failed)?;
        loop {
            check_stop(stop)?;
            let bytes = opened.fill_buf().map_err(failed)?;
            let count = bytes.len();
            if count == 0 {
                break;
            }
            sealed.write_all(bytes).map_err(&cannot)?;
            opened.consume(count);
            on_bytes(count as u64);
        }
    }
    io::copy(&mut raw, &mut io::sink()).map_err(failed)?;
    let expected = Stored {
        bytes: old.stored_bytes,
        hash: old.stored_hash,
    };
    if raw.get_ref().stored() != expected {
        return Err(corrupted(
            "its stored bytes are not those that were written".to_owned(),
        ));
    }
    let mut file = sealed.finish().map_err(&cannot)?;
    file.flush().map_err(&cannot)?;
    durable::sync_file(file.inner().get_ref(), to).map_err(&cannot)?;
    let stored = file.stored();
    match is_stored_at(to, stored, stop)? {
        true => Ok(stored),
        false => Err(BackupStoreError::Unavailable(format!(
            "what was written to {} is not what lies there; look at the disk",
            to.display()
        ))),
    }
}

/// The name of what is to take the place of a file of a backup.
fn staged_at(target: &Path, id: &BackupId) -> PathBuf {
    let name = target.file_name().and_then(|name| name.to_str());
    let suffix = name.and_then(|name| name.strip_prefix(id.as_str()));
    target.with_file_name(format!("{id}{MARK}{}{PARTIAL}", suffix.unwrap_or_default()))
}

/// Whose place it is to take.
fn target_of(name: &str) -> Option<String> {
    let (id, suffix) = name.strip_suffix(PARTIAL)?.split_once(MARK)?;
    BackupId::parse(id).ok()?;
    Some(format!("{id}{suffix}"))
}

fn note_of(layout: &Layout, job: &JobName) -> PathBuf {
    layout.job(job).join(NOTE)
}

/// From here on there is no way back.
fn note(layout: &Layout, job: &JobName, staged: &Staged) -> Result<(), BackupStoreError> {
    let path = note_of(layout, job);
    // A crash may have left it half written.
    remove_file(&path.with_extension("partial"))?;
    write_create_only(&path, staged.ids.join("\n").as_bytes())
}

/// Puts what is noted in its place. It may be done twice, and at once.
pub(super) fn finish(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    let note = note_of(layout, job);
    let noted = match read_manifest(&note) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        noted => noted.map_err(unavailable("cannot read", &note))?,
    };
    // What a tier holds that is away has to wait for it.
    check_noted(layout, job)?;
    let noted = String::from_utf8_lossy(&noted);
    for place in layout.places() {
        for directory in [place.job(job), place.trash_of(job)] {
            put_in_place(&directory, noted.lines())?;
        }
    }
    remove_file(&note)?;
    sync_dir(&layout.job(job))
}

fn put_in_place<'a>(
    directory: &Path,
    ids: impl Iterator<Item = &'a str>,
) -> Result<(), BackupStoreError> {
    let names = names_in(directory)?;
    if names.is_empty() {
        return Ok(());
    }
    for name in &names {
        let Some(target) = target_of(name) else {
            continue;
        };
        let (from, to) = (directory.join(name), directory.join(target));
        ignore_not_found(durable::rename(&from, &to)).map_err(unavailable("cannot make", &to))?;
    }
    sync_dir(directory)?;
    // What was in plain and is encrypted now, or the other way round, has another name.
    for id in ids {
        let path = directory.join(format!("{id}.json"));
        let Some(manifest) = read_manifest(&path)
            .ok()
            .and_then(|bytes| Manifest::from_bytes(&bytes).ok())
        else {
            continue;
        };
        let [plain, sealed] = ARCHIVES.map(|suffix| directory.join(format!("{id}{suffix}")));
        let (is_there, other) = match manifest.encryption {
            Encryption::None => (plain, sealed),
            Encryption::Age { .. } => (sealed, plain),
        };
        if is_there.exists() {
            remove_file(&other)?;
        }
    }
    sync_dir(directory)
}
