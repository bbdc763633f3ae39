//! Whether an answer came from the supervised process of the target.

use super::{
    HostProbe,
    groups::Groups,
    owner::{self, Found},
    seen::Seen,
    timing::within,
    unix,
};
use mainstay_domain::{
    name::TargetName,
    spec::{CheckSpec, TargetSpec},
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

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
        let look = move |name: &TargetName, needs: &[TargetName], pid: u32, groups: &Groups| {
            owner::look(name, needs, pid, &to, groups)
        };
        self.judge_answer(target, check, pid, seen, look).await
    }

    /// A look at a socket in the file system.
    pub(super) async fn look_at_socket(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        pid: Option<u32>,
        path: &Path,
        warn: Option<Duration>,
    ) -> Result<Seen, Seen> {
        let turn = self.blocking.turn(&target.name, check).await?;
        let mut listener = None;
        let seen = within(check, unix::look(path, warn, turn, &mut listener)).await;
        let seen = self.own_answer_at(target, check, pid, listener, seen);
        Ok(seen.await)
    }

    /// As [`HostProbe::own_answer`], of a socket in the file system, and the process that listens there, where the system
    /// tells.
    pub(super) async fn own_answer_at(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        pid: Option<u32>,
        listener: Option<u32>,
        seen: Seen,
    ) -> Seen {
        let Some(listener) = listener else {
            return seen;
        };
        let look = move |name: &TargetName, needs: &[TargetName], pid: u32, groups: &Groups| {
            owner::look_at(name, needs, pid, listener, groups)
        };
        self.judge_answer(target, check, pid, seen, look).await
    }

    async fn judge_answer(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        pid: Option<u32>,
        seen: Seen,
        look: impl FnOnce(&TargetName, &[TargetName], u32, &Groups) -> Option<Found> + Send + 'static,
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
        let found = turn.run(move || look(&name, &needs, pid, &groups));
        match tokio::time::timeout(check.timeout, found).await {
            Ok(Ok(Some(found))) => self.owners.judge(check, pid, found, seen),
            // Its process has ended, which is told as that, or nobody can tell.
            Ok(Ok(None) | Err(_)) | Err(_) => seen,
        }
    }
}
