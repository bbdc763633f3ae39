//! What is done about a process that has ended, and what is left to who stopped it.

use super::{
    fake::{Behaviour, FIRST, supervise},
    *,
};
use crate::ports::{Boxed, Exit};

/// Processes whose ends are told by the test, in the order of their numbers.
struct Told(watch::Sender<u32>);

impl Behaviour for Told {
    fn wait(&self, identity: ProcessIdentity) -> Boxed<'static, Exit> {
        let mut told = self.0.subscribe();
        Box::pin(async move {
            let is_told = |told: &u32| *told > identity.pid - FIRST;
            if told.wait_for(is_told).await.is_err() {
                std::future::pending::<()>().await;
            }
            Exit::Signal(9)
        })
    }
}

#[tokio::test]
async fn the_rest_of_a_process_that_was_stopped_is_not_looked_for_beside_the_start_of_the_next() {
    let told = Told(watch::channel(0).0);
    let mut faked = supervise(told, spec(vec![child("web", &SLEEP)]));
    wait_until("it runs", || faked.pid("web") == Some(FIRST)).await;
    within(faked.supervisor.restart(name("web"))).await.unwrap();
    wait_until("the next one runs", || faked.pid("web") == Some(FIRST + 1)).await;

    // That the first one ended is heard of late, and before the second one ends.
    faked.processes.behaviour.0.send_replace(1);
    tokio::task::yield_now().await;
    faked.processes.behaviour.0.send_replace(2);
    let finding = within(faked.findings.recv()).await.unwrap();
    assert!(matches!(finding, Finding::Exited { .. }), "{finding:?}");
    assert_eq!(faked.processes.looks(), 1);
}
