//! Hosts the plugins of a directory: `cargo run -p mainstay-runtime --example host_plugins -- DIRECTORY`.
//! Drop, replace and remove components while it runs.

use mainstay_domain::effect::{Effect, EffectError, EffectResult};
use mainstay_runtime::{
    Call, EffectPort, HostOptions, LogLine, PluginHost,
    effects::Boxed,
    observer::{Observer, PluginEvent},
};
use std::sync::Arc;

struct Console;

impl EffectPort for Console {
    fn perform<'a>(&'a self, call: &'a Call, effect: Effect) -> Boxed<'a, EffectResult> {
        println!("{} asks for {}", call.plugin, effect.name());
        Box::pin(async {
            Err(EffectError::Unavailable(
                "this program only looks on".to_owned(),
            ))
        })
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
