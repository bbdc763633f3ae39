//! What becomes of the service where a part of it breaks off.

use super::{
    fake::{Behaviour, supervise},
    *,
};
use crate::ports::{Boxed, Exit};

/// Processes whose end cannot be waited for.
struct NoEnd;

impl Behaviour for NoEnd {
    fn is_alive(&self) -> bool {
        false
    }
    fn wait(&self, _: ProcessIdentity) -> Boxed<'static, Exit> {
        Box::pin(torn())
    }
    fn stop(&self, _: Signal, _: Duration) -> Boxed<'static, Exit> {
        Box::pin(std::future::ready(Exit::Unknown))
    }
}

async fn torn() -> Exit {
    panic!("out of luck")
}

#[tokio::test]
async fn where_a_process_is_waited_for_no_more_the_service_ends_too() {
    let mut faked = supervise(NoEnd, spec(vec![child("web", &SLEEP)]));
    let end = within(&mut faked.service).await.unwrap_err();
    assert!(end.to_string().contains("out of luck"), "{end}");
}
