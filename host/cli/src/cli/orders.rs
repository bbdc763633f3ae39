//! What is commanded about targets and plugins: a heartbeat, forgetting a plugin.

use super::{client::Client, output::Output};
use mainstay_api::{ForgetPluginBody, ForgottenPlugin};
use mainstay_domain::name::{PluginName, TargetName};
use semver::Version;

/// Lets other bytes go by a plugin's name and version.
pub(super) async fn forget_plugin(
    client: &Client,
    out: &Output,
    name: &PluginName,
    version: &Version,
    by: String,
) -> anyhow::Result<()> {
    let (name, version) = (name.to_string(), version.to_string());
    let body = ForgetPluginBody {
        name: name.clone(),
        version: version.clone(),
        by,
    };
    client.post("/v1/plugins/forget", &body).await?;
    if out.json {
        return out.json_line(&ForgottenPlugin { name, version });
    }
    out.line(&format!(
        "{name}@{version} may be other bytes now; `mainstay plugin list` shows what serves"
    ))
}

/// Reports that a target is alive; says nothing, for it stands in scripts.
pub(super) async fn heartbeat(client: &Client, target: &TargetName) -> anyhow::Result<()> {
    client
        .post(&format!("/v1/heartbeat/{target}"), &serde_json::json!({}))
        .await?;
    Ok(())
}
