//! The wait for another config.

use mainstay_domain::spec::Spec;
use std::sync::Arc;
use tokio::sync::watch;

/// Waits for the next config and takes it as seen; for ever where nobody can change the config any more. May be
/// dropped: a config is taken as seen only when it is given.
pub(super) async fn next_spec(spec: &mut watch::Receiver<Arc<Spec>>) -> Arc<Spec> {
    match spec.changed().await {
        Ok(()) => Arc::clone(&spec.borrow_and_update()),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn each_config_is_given_once_and_who_waits_after_the_last_waits_on() {
        let (first, second) = (specs::spec(Vec::new()), specs::spec(Vec::new()));
        let (sender, mut receiver) = watch::channel(first);
        assert!(next_spec(&mut receiver).now_or_never().is_none());
        sender.send_replace(Arc::clone(&second));
        let given = next_spec(&mut receiver).await;
        assert!(Arc::ptr_eq(&given, &second));
        assert!(next_spec(&mut receiver).now_or_never().is_none());
        drop(sender);
        assert!(next_spec(&mut receiver).now_or_never().is_none());
    }
}
