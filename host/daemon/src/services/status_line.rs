//! Tells the service manager in one line how the targets do, when that changes.
//!
//! Invariant: the line is counted when it is told, and told again only where it is another one.

use super::shared::Shared;
use crate::ports::{RecoveryControl, ServiceManager, Watch};
use mainstay_domain::{event::Event, health::Health, text::counted};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

/// What happens together is counted together.
const SETTLES: Duration = Duration::from_millis(250);

/// Not every change is an event: that a target is seen for the first time is none.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The service.
pub struct StatusLineService {
    /// The config that applies, and the events that tell of changes.
    pub shared: Shared,
    /// How each target does.
    pub watch: Arc<dyn Watch>,
    /// Whether the host is paused.
    pub recovery: Arc<dyn RecoveryControl>,
    /// Who is told.
    pub manager: Arc<dyn ServiceManager>,
}

impl StatusLineService {
    /// Runs until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut events = self.shared.journal.subscribe();
        let mut told = String::new();
        loop {
            let line = self.line();
            if line != told {
                self.manager.status(&line);
                told = line;
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = news(&mut events) => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SETTLES) => {}
            }
            events = events.resubscribe();
        }
    }

    fn line(&self) -> String {
        let spec = Arc::clone(&self.shared.spec.borrow());
        let all = self.watch.health_of_all(&spec).into_iter();
        line_of(all.map(|(health, _)| health), self.recovery.is_paused(None))
    }
}

/// Where events were lost there were some.
async fn news(events: &mut Receiver<Arc<Event>>) {
    match events.recv().await {
        Ok(_) | Err(RecvError::Lagged(_)) => {}
        Err(RecvError::Closed) => std::future::pending().await,
    }
}

fn line_of(targets: impl Iterator<Item = Health>, is_paused: bool) -> String {
    let [mut all, mut failed, mut degraded, mut starting, mut unknown] = [0_usize; 5];
    for health in targets {
        all += 1;
        match health {
            Health::Failed => failed += 1,
            Health::Degraded => degraded += 1,
            Health::Starting => starting += 1,
            Health::Unknown => unknown += 1,
            Health::Healthy => {}
        }
    }
    let mut line = match all {
        0 => "no targets".to_owned(),
        all => counted(all, "target"),
    };
    let parts = [
        (failed, "unhealthy"),
        (degraded, "degraded"),
        (starting, "starting"),
        (unknown, "not seen"),
    ];
    for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
        line.push_str(&format!(", {count} {what}"));
    }
    if all > 0 && failed + degraded + starting + unknown == 0 {
        line.push_str(", all healthy");
    }
    if is_paused {
        line.push_str("; recovery is paused");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_how_many_targets_there_are_and_how_those_do_that_are_not_well() {
        use Health::{Degraded, Failed, Healthy, Starting, Unknown};
        let check = |targets: &[Health], is_paused, expected: &str| {
            assert_eq!(line_of(targets.iter().copied(), is_paused), expected);
        };
        check(&[], false, "no targets");
        check(&[Healthy], false, "1 target, all healthy");
        check(
            &[Healthy, Healthy],
            true,
            "2 targets, all healthy; recovery is paused",
        );
        check(&[Healthy, Failed], false, "2 targets, 1 unhealthy");
        check(
            &[Failed, Failed, Degraded, Starting, Unknown],
            false,
            "5 targets, 2 unhealthy, 1 degraded, 1 starting, 1 not seen",
        );
    }
}
