//! Hosts the plugins of a directory: `cargo run -p mainstay-runtime --example host_plugins -- DIRECTORY`.
//! Drop, replace and remove components while it runs.

use mainstay_domain::effect::{Effect, EffectError, EffectResult};
use mainstay_runtime::{
    Call, EffectPort, EffectSession, HostOptions, LogLine, PluginHost, Settling,
    effects::Boxed,
    observer::{Observer, PluginEvent},
};
use std::sync::Arc;

struct Console;

/// The effects of one call: none is performed, so there is nothing to wait for.
struct LooksOn(Arc<Call>);

impl EffectSession for LooksOn {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        println!("{} asks for {}", self.0.plugin, effect.name());
        let refused = EffectError::Unavailable("this program only looks on".to_owned());
        Box::pin(std::future::ready(Err(refused)))
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(self.0.purpose.effects())
    }
}

impl EffectPort for Console {
    fn begin(&self, call: &Arc<Call>) -> Box<dyn EffectSession> {
        Box::new(LooksOn(call.clone()))
    }

    fn log(&self, call: &Call, line: LogLine) {
        println!("{} says {}", call.plugin, line.message);
    }
}

impl Observer for Console {
    fn observe(&self, event: PluginEvent) {
        println!("{event:?}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "plugins".to_owned());
    let host = PluginHost::start(
        HostOptions::new(directory),
        Arc::new(Console),
        Arc::new(Console),
    )
    .await?;
    for row in host.rows() {
        println!("{}", serde_json::to_string(&row)?);
    }
    std::future::pending().await
}
