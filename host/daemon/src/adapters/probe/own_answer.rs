//! Whether an answer came from the supervised process of the target.

use super::{HostProbe, owner, seen::Seen};
use mainstay_domain::spec::{CheckSpec, TargetSpec};
use std::{net::SocketAddr, sync::Arc};

impl HostProbe {
    /// An answer is worth something where the supervised process gave it.
    pub(super) async fn own_answer(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        pid: Option<u32>,
        to: Vec<SocketAddr>,
        seen: Seen,
    ) -> Seen {
        let Some(pid) = pid.filter(|_| owner::is_answer(&seen)) else {
            return seen;
        };
        if self.owners.is_settled(check, pid) {
            return seen;
        }
        let Ok(turn) = self.blocking.turn_beside(&target.name, check).await else {
            return seen;
        };
        let (name, needs) = (target.name.clone(), target.depends_on.clone());
        let groups = Arc::clone(&self.groups);
        let found = turn.run(move || owner::look(&name, &needs, pid, &to, &groups));
        match tokio::time::timeout(check.timeout, found).await {
            Ok(Ok(Some(found))) => self.owners.judge(check, pid, found, seen),
            // Its process has ended, which is told as that, or nobody can tell.
            Ok(Ok(None) | Err(_)) | Err(_) => seen,
        }
    }
}
