//! Checks that a plugin makes.

use super::super::super::{
    reader::Fields,
    values::{json_object, name, version},
};
use mainstay_domain::{
    name::PluginName,
    spec::{CheckKind, PluginCheck},
};
use semver::VersionReq;

pub(super) fn plugin(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let example = "plugin = \"latency-trend\": the name of a detector";
    let plugin = fields.required("plugin", example, name(PluginName::parse));
    let version = fields.or("version", VersionReq::STAR, version);
    let params_at = fields.get("params");
    let no_params = || serde_json::Value::Object(serde_json::Map::new());
    let check = PluginCheck {
        version,
        params: params_at.and_then(json_object).unwrap_or_else(no_params),
        plugin: plugin?,
    };
    if let Some(at) = params_at {
        let named = check.secrets().into_iter();
        let handed = named.map(|secret| (check.plugin.clone(), secret, at.node.place));
        at.context.facts.borrow_mut().handed.extend(handed);
    }
    Some(CheckKind::Plugin(check))
}
