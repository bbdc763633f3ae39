//! The end of one process: asked for, waited for, forced.

use super::{
    child::Children,
    signal::{number, send_to},
};
use crate::ports::Exit;
use mainstay_domain::{effect::Signal, record::ProcessIdentity};
use std::{sync::Arc, time::Duration};

/// How long a process is awaited after SIGKILL: only one that hangs in the kernel needs longer.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// How long a process that has ended is awaited to be reaped by who adopted it: until then others that look for its number
/// find it, as PostgreSQL does for the one in its pid file.
const REAP_PATIENCE: Duration = Duration::from_secs(2);

/// This signal to it and what belongs to it, grace, SIGKILL. Resolves when its number is free again, or what has the
/// number is not to be ended.
pub(super) async fn end(
    children: Arc<Children>,
    identity: ProcessIdentity,
    signal: Signal,
    grace: Duration,
) -> Exit {
    // An error must not keep the signal back, nor may the signal go to another that has the number by now.
    let stat = children.wait_for_stat(&identity).await;
    if let Some(stat) = stat.filter(|stat| !stat.has_ended()) {
        // A stopped process acts on it only once it is continued. Errors show as a process that lives on.
        let _ = send_to(&identity, stat.group, number(signal));
        let _ = send_to(&identity, stat.group, rustix::process::Signal::CONT);
    }
    let ended = Arc::clone(&children).wait(identity.clone());
    let exit = match tokio::time::timeout(grace, ended).await {
        Ok(exit) => exit,
        Err(_) => kill(&children, &identity).await,
    };
    if exit == Exit::Unknown {
        let reaped = children.reaped(&identity);
        let _ = tokio::time::timeout(REAP_PATIENCE, reaped).await;
    }
    exit
}

async fn kill(children: &Arc<Children>, identity: &ProcessIdentity) -> Exit {
    if let Some(stat) = children.wait_for_stat(identity).await {
        let _ = send_to(identity, stat.group, rustix::process::Signal::KILL);
    }
    let ended = Arc::clone(children).wait(identity.clone());
    if let Ok(exit) = tokio::time::timeout(KILL_PATIENCE, ended).await {
        return exit;
    }
    match children.wait_for_stat(identity).await {
        // Also where only its first thread has ended, and another one hangs.
        Some(stat) => Exit::Unended {
            state: char::from(stat.state),
        },
        None => Arc::clone(children).wait(identity.clone()).await,
    }
}
