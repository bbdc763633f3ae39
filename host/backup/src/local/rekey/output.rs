//! A file that is written beside another one of a tier: in the lane of that, where it has one.

use super::super::{
    durable,
    error::unavailable,
    files::create_private,
    lane::{Lane, LaneFile},
    mounted::Settling,
};
use crate::port::BackupStoreError;
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    time::Instant,
};

pub(super) enum Output {
    Here(File),
    /// What comes is to come in large pieces: each is handed on by itself.
    InLane(Lane, LaneFile, Settling),
}

impl Output {
    /// One that must not exist.
    pub(super) fn create(path: &Path, lane: Option<&Lane>) -> Result<Self, BackupStoreError> {
        let Some(lane) = lane else {
            return create_private(path).map(Self::Here);
        };
        let own = path.to_owned();
        let made = lane.change(move || create_private(&own));
        let file = made.map_err(unavailable("cannot make", path))??;
        let file = LaneFile::new(lane.clone(), file);
        Ok(Self::InLane(lane.clone(), file, Settling::new()))
    }

    /// Makes durable what was written.
    pub(super) fn finish(self, path: &Path) -> Result<(), BackupStoreError> {
        let synced = match self {
            Self::Here(file) => durable::sync_file(&file, path),
            Self::InLane(lane, mut file, _) => file.hand_over().and_then(|file| {
                let own = path.to_owned();
                lane.change(move || durable::sync_file(&file, &own))?
            }),
        };
        synced.map_err(unavailable("cannot write", path))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (file, settling) = match self {
            Self::Here(file) => return file.write(bytes),
            Self::InLane(_, file, settling) => (file, settling),
        };
        file.write(bytes.to_vec())?;
        if settling.is_due(bytes.len()) {
            let begun = Instant::now();
            file.settle()?;
            settling.settled(begun.elapsed());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Here(file) => file.flush(),
            Self::InLane(..) => Ok(()),
        }
    }
}
