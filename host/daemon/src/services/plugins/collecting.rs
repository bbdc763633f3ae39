//! Backup sources that are plugins: a call for each page, all of one run to the same version.

use super::PluginCalls;
use crate::ports::{Boxed, Collector, Collectors};
use mainstay_domain::{
    call::{CollectFailure, CollectRequest, Page},
    name::PluginName,
    plugin::PluginKind,
};
use mainstay_runtime::Plugin;
use semver::VersionReq;
use std::{sync::Arc, time::Duration};

/// A version that serves, or did when a run began.
struct Serving(Arc<Plugin>);

impl Collector for Serving {
    fn page(
        &self,
        request: CollectRequest,
        timeout: Duration,
    ) -> Boxed<'_, Result<Page, CollectFailure>> {
        Box::pin(async move {
            let page = self.0.collect(&request, timeout).await;
            page.unwrap_or_else(|error| Err(CollectFailure::Permanent(error.to_string())))
        })
    }
}

impl Collectors for PluginCalls {
    fn collector(
        &self,
        plugin: PluginName,
        version: VersionReq,
        patience: Duration,
    ) -> Boxed<'_, Result<Arc<dyn Collector>, String>> {
        Box::pin(async move {
            let kind = PluginKind::BackupSource;
            let found = self.get_within(kind, &plugin, &version, patience).await;
            let found = found.map_err(|error| error.to_string())?;
            let collector: Arc<dyn Collector> = Arc::new(Serving(found));
            Ok(collector)
        })
    }
}
