//! One look at the processes of the machine, for all targets that are looked for at the same time.

use super::{
    super::{mark::Marks, signal},
    Marked,
};
use mainstay_domain::name::TargetName;
use std::collections::HashMap;
use tokio::sync::oneshot;

/// Why a look says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unseen {
    /// The daemon has no descriptors left, or the like.
    Lack,
    /// It broke off.
    BrokenOff,
}

/// What a look has found.
pub(super) type Found = Result<Vec<Marked>, Unseen>;

/// One target that is looked for.
pub(super) struct Wanted {
    pub(super) target: TargetName,
    /// Whether what is found is killed.
    pub(super) ends: bool,
    /// Who hears what was found.
    pub(super) sender: oneshot::Sender<Found>,
}

/// Tells each what was found of its target, and kills that where it is to be ended. Blocks.
pub(super) fn look_for_all(marks: &Marks, users: &HashMap<TargetName, u32>, wanted: Vec<Wanted>) {
    // Two may ask for the same target.
    let mut targets: HashMap<&TargetName, bool> = HashMap::new();
    for one in &wanted {
        *targets.entry(&one.target).or_default() |= one.ends;
    }
    let mut found: HashMap<TargetName, Vec<Marked>> = HashMap::new();
    let carriers = match marks.carriers(users, |target| targets.contains_key(target)) {
        Ok(carriers) => carriers,
        Err(error) => {
            tracing::warn!(%error, "cannot look at all processes yet");
            for one in wanted {
                // Nobody may wait for it any more.
                let _ = one.sender.send(Err(Unseen::Lack));
            }
            return;
        }
    };
    for marked in carriers {
        if targets.get(&marked.target).is_some_and(|ends| *ends) {
            kill(&marked);
        }
        found.entry(marked.target.clone()).or_default().push(marked);
    }
    for one in wanted {
        let of_it = found.get(&one.target).cloned().unwrap_or_default();
        // Nobody may wait for it any more.
        let _ = one.sender.send(Ok(of_it));
    }
}

fn kill(marked: &Marked) {
    let pid = marked.pid;
    tracing::warn!(pid, target_name = %marked.target, "killing what a process of the target left behind");
    if let Err(error) = signal::kill_exactly(pid, marked.start_ticks) {
        tracing::warn!(pid, %error, "it cannot be killed yet");
    }
}
