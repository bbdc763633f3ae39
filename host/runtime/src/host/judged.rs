//! Whether what lay in the plugin directory at the start is known, what had to be compiled first included.

use super::PluginHost;

impl PluginHost {
    /// Whether every plugin that lay in the directory at the start has served or was refused, compiled or not.
    pub fn is_judged(&self) -> bool {
        *self.shared.judged().borrow()
    }

    /// Resolves when that is so.
    pub fn judged(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut judged = self.shared.judged();
        async move {
            // Who judges may be gone: there will be no more then.
            let _ = judged.wait_for(|judged| *judged).await;
        }
    }
}
