//! When what is due may begin: in the window of its job.

use super::{ScheduleError, next_slot};
use crate::{spec::StartSpec, time::Timestamp};

/// Whether backups may begin now.
pub(super) fn is_open(starts: &StartSpec, now: Timestamp) -> Result<bool, ScheduleError> {
    let Some(window) = &starts.window else {
        return Ok(true);
    };
    // The first opening since which it could still be open.
    match next_slot(&window.opens, now - window.length) {
        Ok(opened) => Ok(opened <= now),
        Err(ScheduleError::Never(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The first time, not before `at`, at which they may begin.
pub(super) fn open_from(starts: &StartSpec, at: Timestamp) -> Result<Timestamp, ScheduleError> {
    match &starts.window {
        Some(window) if !is_open(starts, at)? => next_slot(&window.opens, at),
        _ => Ok(at),
    }
}
