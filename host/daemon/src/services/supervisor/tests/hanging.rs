//! Starts that hang.

use super::{
    fake::{Behaviour, supervise},
    *,
};
use crate::ports::{Boxed, ProcessError};
use mainstay_domain::spec::BeforeStart;

/// Whose starts hang while this holds: those of `db` are given up, those of `slow` never end.
struct Hanging(watch::Sender<bool>);

impl Hanging {
    fn new() -> Self {
        Self(watch::channel(true).0)
    }
}

impl Behaviour for Hanging {
    fn fails_to_start(&self, target: &TargetName) -> Option<Boxed<'static, ProcessError>> {
        match (target.as_str(), *self.0.borrow()) {
            ("db", true) => Some(Box::pin(std::future::ready(ProcessError::StartHangs))),
            ("slow", true) => Some(Box::pin(std::future::pending())),
            _ => None,
        }
    }
    fn start_ended(&self) -> Boxed<'_, ()> {
        let mut hangs = self.0.subscribe();
        Box::pin(async move {
            hangs.wait_for(|hangs| !hangs).await.unwrap();
        })
    }
}

#[tokio::test]
async fn a_target_whose_start_hangs_is_down_can_be_worked_on_and_starts_once_that_has_ended() {
    let mut started = supervise(Hanging::new(), spec(vec![child("db", &SLEEP)]));
    let finding = within(started.findings.recv()).await.unwrap();
    assert!(
        format!("{finding:?}").contains("its start hangs"),
        "{finding:?}"
    );
    let refused = within(started.supervisor.restart(name("db"))).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("no second copy is started"), "{refused}");
    assert_eq!(started.pid("db"), None);
    started.processes.behaviour.0.send_replace(false);
    wait_until("it runs", || started.pid("db").is_some()).await;
    assert_eq!(started.processes.starts(), 3);
}

#[tokio::test]
async fn what_depends_on_a_target_whose_start_does_not_end_starts_after_the_start_period() {
    let mut slow = child("slow", &SLEEP);
    slow.start_period = Duration::from_millis(50);
    let mut web = child("web", &SLEEP);
    web.depends_on = vec![name("slow")];
    let started = supervise(Hanging::new(), spec(vec![slow, web]));
    wait_until("it runs", || started.pid("web").is_some()).await;
    assert_eq!(started.pid("slow"), None);
}

#[tokio::test]
async fn what_is_on_the_way_to_its_start_says_what_keeps_it() {
    let mut slow = child("slow", &SLEEP);
    slow.start_period = Duration::from_secs(3600);
    let before = BeforeStart {
        run: vec!["/bin/true".to_owned()],
        timeout: Duration::from_secs(3600),
    };
    slow.process.as_mut().unwrap().before_start = Some(before);
    let mut web = child("web", &SLEEP);
    web.depends_on = vec![name("slow")];
    let started = supervise(Hanging::new(), spec(vec![slow, web]));
    let why = |target: &str| {
        let unstarted = started.supervisor.unstarted(&name(target));
        unstarted.map(|unstarted| unstarted.why)
    };
    wait_until("both are on the way", || {
        why("slow").is_some() && why("web").is_some()
    })
    .await;
    assert_eq!(why("slow").unwrap(), "its `before_start` runs");
    let expected = "it waits for slow, on which it depends";
    assert_eq!(why("web").unwrap(), expected);
    // A person who keeps it stopped ends the wait, as far as anybody is told.
    within(started.supervisor.stop(name("web"))).await.unwrap();
    assert_eq!(why("web"), None);
}
