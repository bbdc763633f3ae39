//! Where one file of a backup lies: a path of this machine, or a key of a bucket.

use super::{
    durable,
    error::unavailable,
    files::{HOLD, MANIFEST, remove_file, sync_dir, write_create_only, write_over},
    lane::{Lane, LaneFile},
    pace::{Pace, Paced},
    regular::{MAX_MANIFEST, open_regular, read_manifest},
};
use crate::{
    bucket::{Bucket, Trouble},
    port::BackupStoreError,
};
use rustix::fs::{Advice, fadvise};
use std::{
    fs,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// Where a file is, or may be, and at which pace what is read of it comes.
#[derive(Debug, Clone)]
pub(super) enum Spot {
    /// On this machine; in the lane of a tier that may not answer.
    File(PathBuf, Pace, Option<Lane>),
    /// In a bucket.
    Object(Bucket, String, Pace),
}

impl Spot {
    /// That of the tier that it lies in.
    pub(super) fn pace(&self) -> &Pace {
        let (Self::File(_, pace, _) | Self::Object(_, _, pace)) = self;
        pace
    }

    /// The lane that it is asked in; none where it is asked in none.
    pub(super) fn lane(&self) -> Option<&Lane> {
        match self {
            Self::File(_, _, lane) => lane.as_ref(),
            Self::Object(..) => None,
        }
    }

    /// As people are told. Of an object it is no path of this machine.
    pub(super) fn shown(&self) -> PathBuf {
        match self {
            Self::File(path, ..) => path.clone(),
            Self::Object(bucket, key, _) => bucket.shown().join(key),
        }
    }

    /// Whether it is there.
    pub(super) fn try_exists(&self) -> Result<bool, BackupStoreError> {
        let found = match self {
            Self::File(path, _, lane) => look(lane.as_ref(), path, Path::try_exists),
            Self::Object(bucket, key, _) => match bucket.length(key) {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            },
        };
        found.map_err(unavailable("cannot look at", &self.shown()))
    }

    /// How long it is.
    pub(super) fn length(&self) -> io::Result<u64> {
        match self {
            Self::File(path, _, lane) => look(lane.as_ref(), path, |path| {
                fs::metadata(path).map(|found| found.len())
            }),
            Self::Object(bucket, key, _) => bucket.length(key),
        }
    }

    /// Opens it to be read from its begin at its pace, past the page cache where the system allows it.
    pub(super) fn open<'a>(
        &'a self,
        stop: &'a CancellationToken,
    ) -> io::Result<Paced<'a, Box<dyn Read>>> {
        let inner: Box<dyn Read> = match self {
            Self::File(path, _, lane) => {
                let file = look(lane.as_ref(), path, |path| {
                    let file = open_regular(path)?;
                    // Only a hint: what cannot be dropped from the cache is read from there.
                    let _ = fadvise(&file, 0, None, Advice::DontNeed);
                    Ok(file)
                })?;
                match lane {
                    Some(lane) => Box::new(LaneFile::new(lane.clone(), file)),
                    None => Box::new(file),
                }
            }
            Self::Object(bucket, key, _) => Box::new(bucket.open(key, stop)?),
        };
        Ok(Paced::new(inner, self.pace(), stop))
    }

    /// All of a manifest, or of a mark.
    pub(super) fn read_manifest(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::File(path, _, lane) => look(lane.as_ref(), path, read_manifest),
            Self::Object(bucket, key, _) => bucket
                .read(key, MAX_MANIFEST)?
                .ok_or_else(|| io::Error::other("it is too long for a manifest")),
        }
    }

    /// Makes it: whole and durable or not at all, and never over another.
    pub(super) fn create(&self, bytes: &[u8]) -> Result<(), BackupStoreError> {
        match self {
            Self::File(path, _, lane) => {
                let bytes = bytes.to_vec();
                change(lane.as_ref(), path, move |path| {
                    write_create_only(path, &bytes)
                })
            }
            Self::Object(bucket, key, _) => {
                durable::changes();
                bucket
                    .create(key, bytes.to_vec())
                    .map_err(unavailable("cannot make", &self.shown()))
            }
        }
    }

    /// Where the hold of the backup is noted whose manifest this is.
    pub(super) fn hold(&self) -> Self {
        match self {
            Self::File(path, pace, lane) => {
                let path = path.with_extension("hold");
                Self::File(path, pace.clone(), lane.clone())
            }
            Self::Object(bucket, key, pace) => {
                let stem = key.strip_suffix(MANIFEST).unwrap_or(key);
                let key = format!("{stem}{HOLD}");
                Self::Object(bucket.clone(), key, pace.clone())
            }
        }
    }

    /// Makes it over what is there: that or this is there, whole and durable.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), BackupStoreError> {
        match self {
            Self::File(path, _, lane) => {
                let bytes = bytes.to_vec();
                change(lane.as_ref(), path, move |path| write_over(path, &bytes))
            }
            Self::Object(bucket, key, _) => {
                durable::changes();
                bucket
                    .replace(key, bytes.to_vec())
                    .map_err(unavailable("cannot make", &self.shown()))
            }
        }
    }

    /// Removes it; what is gone is no error.
    pub(super) fn remove(&self) -> Result<(), BackupStoreError> {
        match self {
            Self::File(path, _, lane) => change(lane.as_ref(), path, |path| {
                remove_file(path)?;
                path.parent().map_or(Ok(()), sync_dir)
            }),
            Self::Object(bucket, key, _) => {
                durable::changes();
                bucket
                    .delete(std::slice::from_ref(key))
                    .map_err(unavailable("cannot remove", &self.shown()))
            }
        }
    }

    /// Its directory on this machine; none of an object.
    pub(super) fn directory(&self) -> Option<&Path> {
        match self {
            Self::File(path, ..) => path.parent(),
            Self::Object(..) => None,
        }
    }

    /// Makes durable that it is there. An object is, as soon as it is.
    pub(super) fn make_durable(&self) -> Result<(), BackupStoreError> {
        match self {
            Self::File(path, _, lane) => change(lane.as_ref(), path, |path| {
                path.parent().map_or(Ok(()), sync_dir)
            }),
            Self::Object(..) => Ok(()),
        }
    }

    /// An error where a change of its tier was given up and may still come: nothing that is looked at before it is over stays as it
    /// is found.
    pub(super) fn check_over(&self) -> io::Result<()> {
        match self {
            Self::File(_, _, Some(lane)) => lane.check_over(),
            Self::File(..) | Self::Object(..) => Ok(()),
        }
    }

    /// Removes what a crash may have left half written where this is to be made.
    pub(super) fn clear_partial(&self) -> Result<(), BackupStoreError> {
        match self {
            Self::File(path, _, lane) => change(lane.as_ref(), path, |path| {
                remove_file(&path.with_extension("json.partial"))
            }),
            Self::Object(..) => Ok(()),
        }
    }
}

/// Whether an error says nothing of what is stored: it is one of the system, or of a network.
pub(super) fn is_of_the_way(error: &io::Error) -> bool {
    error.raw_os_error().is_some() || Trouble::of(error).is_some()
}

/// Looks at a file, in the lane of its tier where that has one.
pub(super) fn look<T: Send + 'static>(
    lane: Option<&Lane>,
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let Some(lane) = lane else {
        return work(path);
    };
    let path = path.to_owned();
    lane.look(move || work(&path))?
}

/// Changes a file so.
pub(super) fn change(
    lane: Option<&Lane>,
    path: &Path,
    work: impl FnOnce(&Path) -> Result<(), BackupStoreError> + Send + 'static,
) -> Result<(), BackupStoreError> {
    let Some(lane) = lane else {
        return work(path);
    };
    let own = path.to_owned();
    let changed = lane.change(move || work(&own));
    changed.map_err(unavailable("cannot change", path))?
}
