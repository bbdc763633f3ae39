//! The reload task: what is asked of it, and when it looks.

use super::{ApplyError, Specs, reload::Reloader};
use crate::memory;
use mainstay_domain::name::PluginName;
use semver::Version;
use std::{io, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// What is asked of the reload task.
pub(super) enum Request {
    Forget(PluginName, Version, oneshot::Sender<io::Result<bool>>),
    Apply(Specs, oneshot::Sender<Result<(), ApplyError>>),
    Look(oneshot::Sender<()>),
}

/// Waits, and looks when something rings, is asked or is due.
pub(super) async fn follow(
    mut reloader: Reloader,
    mut asked: mpsc::Receiver<Request>,
    rescan: Duration,
    due: Option<Duration>,
) {
    // What the first loads took; nobody waits for it.
    drop(tokio::task::spawn_blocking(memory::release_to_os));
    let hints = reloader.watch.hints().clone();
    let mut wait = due.unwrap_or(rescan).min(rescan);
    loop {
        let request = tokio::select! { biased;
            request = asked.recv() => match request {
                Some(request) => Some(request),
                None => return,
            },
            () = hints.wait() => None,
            () = tokio::time::sleep(wait) => None,
        };
        // Of settings that came together only the newest count; everyone who asked gets their answer.
        let (mut newest, mut applied, mut looked) = (None, Vec::new(), Vec::new());
        let mut forgotten = Vec::new();
        let together = std::iter::from_fn(|| asked.try_recv().ok());
        for request in request.into_iter().chain(together) {
            match request {
                Request::Forget(name, version, done) => {
                    forgotten.push((reloader.forget(name, version).await, done));
                }
                Request::Apply(specs, done) => {
                    newest = Some(specs);
                    applied.push(done);
                }
                Request::Look(done) => looked.push(done),
            }
        }
        if let Some(specs) = newest {
            let outcome = reloader.apply(specs).await;
            for done in applied {
                // Whoever stopped waiting does not need the answer.
                let _ = done.send(outcome.clone());
            }
        }
        wait = reloader.look().await.unwrap_or(rescan).min(rescan);
        for done in looked {
            let _ = done.send(());
        }
        for (outcome, done) in forgotten {
            let _ = done.send(outcome);
        }
    }
}
