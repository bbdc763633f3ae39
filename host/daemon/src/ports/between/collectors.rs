//! Calls of plugins that give the documents of backups.

use super::super::Boxed;
use mainstay_domain::{
    call::{CollectFailure, CollectRequest, Page},
    name::PluginName,
};
use semver::VersionReq;
use std::{sync::Arc, time::Duration};

/// One version of a plugin of the kind `backup-source`.
pub trait Collector: Send + Sync {
    /// Asks for one page, which may take so long. That it cannot be asked is a permanent failure. May be dropped.
    fn page(
        &self,
        request: CollectRequest,
        timeout: Duration,
    ) -> Boxed<'_, Result<Page, CollectFailure>>;
}

/// Finds them.
pub trait Collectors: Send + Sync {
    /// The newest version that fits; what lay there at the start and is compiled still is waited for, for so long at most. The
    /// error is why there is none, for people. May be dropped.
    fn collector(
        &self,
        plugin: PluginName,
        version: VersionReq,
        patience: Duration,
    ) -> Boxed<'_, Result<Arc<dyn Collector>, String>>;
}
