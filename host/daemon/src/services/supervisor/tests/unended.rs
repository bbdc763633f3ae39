//! A process that not even SIGKILL ends, until what it waits for in the kernel answers.

use super::{
    fake::{Behaviour, FIRST, supervise},
    *,
};
use crate::ports::{Boxed, Exit};

/// Processes in uninterruptible sleep while this holds.
struct Frozen(watch::Sender<bool>);

impl Behaviour for Frozen {
    /// The first one ends when it thaws.
    fn wait(&self, identity: ProcessIdentity) -> Boxed<'static, Exit> {
        let mut frozen = self.0.subscribe();
        Box::pin(async move {
            if identity.pid > FIRST || frozen.wait_for(|frozen| !frozen).await.is_err() {
                std::future::pending::<()>().await;
            }
            Exit::Signal(9)
        })
    }
    fn stop(&self, _: Signal, _: Duration) -> Boxed<'static, Exit> {
        let exit = match *self.0.borrow() {
            true => Exit::Unended { state: 'D' },
            false => Exit::Signal(9),
        };
        Box::pin(std::future::ready(exit))
    }
}

#[tokio::test]
async fn what_cannot_be_ended_is_named_gets_no_second_copy_and_is_started_when_it_has_ended() {
    let frozen = Frozen(watch::channel(true).0);
    let mut faked = supervise(frozen, spec(vec![child("web", &SLEEP)]));
    wait_until("it runs", || faked.pid("web") == Some(FIRST)).await;

    for _ in 0..2 {
        let refused = within(faked.supervisor.restart(name("web"))).await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("process 4000000 does not end"),
            "{refused}"
        );
        assert!(refused.contains("state D"), "{refused}");
    }
    within(faked.supervisor.start(name("web")))
        .await
        .unwrap_err();
    assert_eq!(faked.processes.starts(), 1, "no second copy");
    assert_eq!(faked.pid("web"), Some(FIRST), "it is still there");
    let finding = within(faked.findings.recv()).await.unwrap();
    assert!(
        format!("{finding:?}").contains("does not end"),
        "{finding:?}"
    );

    faked.processes.behaviour.0.send_replace(false);
    wait_until("the next one runs", || faked.pid("web") == Some(FIRST + 1)).await;
    assert_eq!(faked.processes.starts(), 2);
}
