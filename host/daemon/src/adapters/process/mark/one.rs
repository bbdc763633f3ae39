//! The mark of one process.

use mainstay_domain::{name::TargetName, record::ProcessIdentity, time::Timestamp};

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) target: TargetName,
    /// Known from the environment only.
    pub(super) start: Option<(Timestamp, u32)>,
    /// The name in it, where that is another one by now.
    pub(super) marked_as: Option<TargetName>,
}

impl Mark {
    /// The value of the variable, where it is of this state directory.
    pub(super) fn parse(state: &str, text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(state)?.strip_prefix('/')?.split('/');
        let target = TargetName::parse(parts.next()?).ok()?;
        let started_at = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let restarts = parts.next()?.parse().ok()?;
        Some(Self {
            target,
            start: Some((started_at, restarts)),
            marked_as: None,
        })
    }

    /// The process that has it.
    pub(super) fn identity(
        &self,
        pid: u32,
        start_ticks: u64,
        boot_id: &str,
        now: Timestamp,
    ) -> ProcessIdentity {
        let (started_at, restarts) = self.start.unwrap_or((now, 0));
        ProcessIdentity {
            pid,
            start_ticks,
            boot_id: boot_id.to_owned(),
            started_at,
            restarts,
            config: None,
            ended: None,
            completed: false,
            marked_as: self.marked_as.clone(),
            output: None,
        }
    }
}
