//! Programs that fork: the first process exits, and the one that their pid file names is the service.
//!
//! Invariant: only a process that was started after the first one is taken for what it left, so a stale file names
//! nothing.

use super::{
    Core,
    target::{Began, SupervisedTarget},
};
use crate::ports::{Exit, NamedEnd, NamedProcess};
use mainstay_domain::{record::ProcessIdentity, spec::ProcessSpec};
use std::{path::Path, time::Duration};
use tokio::time::Instant;

/// How long after the end of the first process its pid file may still be written: many programs let the parent exit
/// before the child has written it.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a process that ended has left.
pub(super) enum Left {
    /// It was the service itself.
    Nothing,
    /// This one is the service.
    Main(ProcessIdentity),
    /// It should have left one; why none is known.
    Lost(String),
}

/// What a process has left, and cannot be ended.
pub(super) struct LivesOn {
    pub(super) process: ProcessIdentity,
    /// For people.
    pub(super) why: String,
}

impl Core {
    /// What has become of a target whose process ended: whether that was the first process of a program that forks.
    pub(super) async fn left_by(
        &self,
        supervised: &SupervisedTarget,
        process: &ProcessSpec,
        first: &ProcessIdentity,
        exit: Exit,
        began: Began,
    ) -> Left {
        let Some(file) = &process.pid_file else {
            return Left::Nothing;
        };
        let patience = match (began, exit) {
            (Began::Started, Exit::Code(0)) => WRITTEN_WITHIN,
            // How one ended that an earlier daemon started is not known; if it was the first one, the file is there.
            (Began::Adopted, Exit::Unknown | Exit::Code(0)) => Duration::ZERO,
            _ => return Left::Nothing,
        };
        let end = Instant::now() + patience;
        let mut is_told = false;
        loop {
            let why = match self.named_after(file, first).await {
                Ok(Some(main)) => return Left::Main(main),
                Ok(None) => format!("{} names no process that it left", file.display()),
                Err(why) => why,
            };
            if Instant::now() >= end || self.is_closing() {
                return match began {
                    Began::Started => Left::Lost(why),
                    Began::Adopted => Left::Nothing,
                };
            }
            // It mostly is there at once.
            if !std::mem::replace(&mut is_told, true) {
                self.tell_that_it_forks(supervised, first, patience);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The living process that a pid file names, where it was not started before this one, and is another.
    pub(super) async fn named_after(
        &self,
        file: &Path,
        first: &ProcessIdentity,
    ) -> Result<Option<ProcessIdentity>, String> {
        let named = self.ports.pid_files.named(file.to_owned()).await;
        let named = named
            .map_err(|why| why.to_string())?
            .filter(|named| named.pid != first.pid && named.start_ticks >= first.start_ticks);
        Ok(named.map(|named| ProcessIdentity {
            pid: named.pid,
            start_ticks: named.start_ticks,
            ended: None,
            completed: false,
            ..first.clone()
        }))
    }

    /// Ends what the process that was stopped has left meanwhile, if it was the first of a program that forks. The error
    /// is what lives on.
    pub(super) async fn end_left(
        &self,
        supervised: &SupervisedTarget,
        first: &ProcessIdentity,
        grace: Duration,
    ) -> Result<(), LivesOn> {
        let Some(file) = supervised.pid_file() else {
            return Ok(());
        };
        let left = match self.named_after(&file, first).await {
            Ok(Some(left)) => left,
            Ok(None) => return Ok(()),
            Err(why) => {
                tracing::warn!(target_name = %supervised.name, %why, "its pid file is of no use");
                return Ok(());
            }
        };
        let named = NamedProcess {
            pid: left.pid,
            start_ticks: left.start_ticks,
        };
        match self.ports.pid_files.end(named, false, grace, file).await {
            Ok(NamedEnd::ByItself | NamedEnd::Terminated | NamedEnd::Killed) => Ok(()),
            Err(why) => Err(LivesOn {
                process: left,
                why: why.to_string(),
            }),
        }
    }
}
