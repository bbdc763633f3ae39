//! What a plugin asks for beside what it is granted: else it is found out when a target fails.
//!
//! Warnings, for a plugin may do without what it asks for, as its settings say.

use super::{Served, wanted};
use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::{
    name::PluginName,
    plugin::Capability,
    spec::{Grants, PluginSpec, Spec, TargetVerb},
    text::visible,
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Display, path::Path};

/// A warning for each capability that a plugin in use asks for and has nothing of.
pub(super) fn problems(
    loaded: &Loaded,
    named: &BTreeMap<PluginName, PluginSpec>,
    served: &Served,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let wanted = wanted(loaded);
    let in_use = named.iter().filter(|(_, spec)| !spec.only_instances);
    for (name, spec) in in_use {
        let versions = served.get(spec.plugin.as_ref().unwrap_or(name));
        let newest = versions
            .into_iter()
            .flatten()
            .max_by(|one, other| one.identity.version.cmp(&other.identity.version));
        let asked = newest.map(|newest| newest.capabilities.as_slice());
        for capability in asked.unwrap_or_default() {
            if is_granted(&capability.name, &spec.grants) {
                continue;
            }
            let message = format!(
                "`{name}` asks for `{}` ({}), and is granted none of it: the host refuses it what it then tries",
                visible(&capability.name),
                visible(&capability.why)
            );
            let line = grant(capability, spec, &loaded.spec);
            let help = match loaded.spec.plugins.contains_key(name) {
                true => format!("add to the grants of [plugin.{name}]: {line}"),
                false => format!("add [plugin.{name}] with grants = {{ {line} }}"),
            };
            let problem = Problem::warning(message, help);
            // What has no table of its own stands where it is named.
            let by = wanted.iter().find(|wanted| wanted.name == name);
            let has_table = loaded.spec.plugins.contains_key(name);
            problems.push(match by.filter(|_| !has_table) {
                Some(by) => by.at.place(loaded, problem),
                None => loaded.problem_about(EntityKind::Plugin, name.as_str(), problem),
            });
        }
    }
    problems
}

/// The kind of a capability, and what of it, empty for anything.
fn parts(capability: &str) -> (&str, &str) {
    capability.split_once(':').unwrap_or((capability, ""))
}

fn is_granted(capability: &str, grants: &Grants) -> bool {
    let (kind, what) = parts(capability);
    match kind {
        "target" => {
            let verb = what.split(':').next().unwrap_or_default();
            let mut granted = grants.target.iter();
            granted.any(|grant| verb.is_empty() || grant.verb.as_str() == verb)
        }
        "command" => {
            let mut granted = grants.command.iter();
            granted.any(|command| what.is_empty() || command.as_str() == what)
        }
        "backup" => {
            let mut granted = grants.backup.iter();
            granted.any(|job| what.is_empty() || job.as_str() == what)
        }
        "mail" => {
            let mut granted = grants.mail.iter();
            granted.any(|account| what.is_empty() || account.as_str() == what)
        }
        "http" => !grants.http.is_empty(),
        "kv" => grants.kv_bytes > 0,
        "dir" => !grants.dir.is_empty(),
        // Of a contract that this host does not know.
        _ => true,
    }
}

/// What to write, as far as the config and the plugin say.
fn grant(capability: &Capability, plugin: &PluginSpec, spec: &Spec) -> String {
    let (kind, what) = parts(&capability.name);
    match kind {
        "target" => format!("target = {}", texts(verbs(what, &capability.why))),
        "command" if what.is_empty() => {
            format!("command = {}", some(spec.commands.keys(), "COMMAND"))
        }
        "backup" if what.is_empty() => {
            let jobs = spec.jobs.iter().map(|job| &job.name);
            format!("backup = {}", some(jobs, "JOB"))
        }
        "mail" if what.is_empty() => format!("mail = {}", some(spec.smtp.keys(), "ACCOUNT")),
        "command" | "backup" | "mail" => format!("{kind} = {}", texts([what])),
        "http" => {
            let origin = origin_in(&plugin.settings);
            format!("http = {}", texts([origin.unwrap_or("https://HOST")]))
        }
        "kv" => "kv = \"1MiB\"".to_owned(),
        _ => {
            let directory = directory_in(&plugin.settings).unwrap_or("DIRECTORY");
            let directory = Value::from(directory);
            format!("dir = [{{ path = {directory}, write = true }}]")
        }
    }
}

/// The verb that is asked for, else those that the reason for it names.
fn verbs<'a>(asked: &'a str, why: &str) -> Vec<&'a str> {
    if !asked.is_empty() {
        return vec![asked];
    }
    let words: Vec<&str> = why.split(|c: char| !c.is_ascii_alphabetic()).collect();
    let all = TargetVerb::ALL.iter().map(|verb| verb.as_str());
    let named: Vec<&str> = all.filter(|verb| words.contains(verb)).collect();
    match named.is_empty() {
        true => vec!["VERB"],
        false => named,
    }
}

fn texts(items: impl IntoIterator<Item = impl Display>) -> String {
    let items = items.into_iter();
    let items: Vec<String> = items
        .map(|item| Value::from(item.to_string()).to_string())
        .collect();
    format!("[{}]", items.join(", "))
}

/// All of them, else a word to be replaced.
fn some(names: impl Iterator<Item = impl Display>, none: &str) -> String {
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    match names.is_empty() {
        true => texts([none]),
        false => texts(names),
    }
}

/// The origin of the first address among the settings.
fn origin_in(settings: &Value) -> Option<&str> {
    let mut texts = settings.as_object()?.values().filter_map(Value::as_str);
    texts.find_map(|text| {
        let scheme = ["http://", "https://"]
            .into_iter()
            .find(|scheme| text.starts_with(scheme))?;
        let host = text.get(scheme.len()..)?;
        let length = host.find(['/', '?', '#']).unwrap_or(host.len());
        let origin = text.get(..scheme.len() + length)?;
        // A user, or a secret, is no part of an origin.
        let is_plain = length > 0 && !host.get(..length)?.contains(['@', '$', '{']);
        is_plain.then_some(origin)
    })
}

/// The directory that the settings name, or that of the file.
fn directory_in(settings: &Value) -> Option<&str> {
    let text = |key: &str| settings.get(key).and_then(Value::as_str);
    text("directory").or_else(|| Path::new(text("path")?).parent()?.to_str())
}

#[cfg(test)]
mod tests {
    use super::super::{Serving, testing::loaded};
    use super::*;
    use mainstay_domain::plugin::{PluginIdentity, PluginKind};

    fn serving(name: &str, capabilities: &[(&str, &str)]) -> (PluginName, Vec<Serving>) {
        let name = PluginName::parse(name).unwrap();
        let serving = Serving {
            kind: PluginKind::RecoveryHandler,
            identity: PluginIdentity {
                name: name.clone(),
                version: "1.0.0".parse().unwrap(),
                digest: String::new(),
            },
            capabilities: capabilities
                .iter()
                .map(|(name, why)| Capability {
                    name: (*name).to_owned(),
                    why: (*why).to_owned(),
                })
                .collect(),
            handles: Vec::new(),
        };
        (name, vec![serving])
    }

    #[test]
    fn what_is_asked_for_and_not_granted_is_told_with_the_line_to_add() {
        let restarts = ("target", "restart it; with `check`, look");
        for (rest, asked, expected) in [
            (
                "",
                restarts,
                Some(r#"add [plugin.p] with grants = { target = ["restart", "check"] }"#),
            ),
            (
                "[plugin.p]\nsettings = { a = 1 }",
                ("target:stop", "x"),
                Some(r#"add to the grants of [plugin.p]: target = ["stop"]"#),
            ),
            (
                "[plugin.p]\ngrants = { target = [\"restart\"] }",
                restarts,
                None,
            ),
            (
                "[plugin.p]\ngrants = { target = [\"restart\"] }",
                ("target:stop", "x"),
                Some(r#"target = ["stop"]"#),
            ),
            (
                "[plugin.p]\nsettings = { url = \"https://h.example:1/x?y\" }",
                ("http", "post"),
                Some(r#"http = ["https://h.example:1"]"#),
            ),
            (
                "[plugin.p]\nsettings = { url = \"https://u@h.example/\" }",
                ("http", "post"),
                Some(r#"http = ["https://HOST"]"#),
            ),
            (
                "[plugin.p]\nsettings = { path = \"/var/log/alerts/a.log\" }",
                ("dir", "append"),
                Some(r#"dir = [{ path = "/var/log/alerts", write = true }]"#),
            ),
            (
                "[command.one]\nrun = [\"true\"]\n[command.two]\nrun = [\"true\"]",
                ("command", "run"),
                Some(r#"command = ["one", "two"]"#),
            ),
            ("", ("kv", "count"), Some(r#"kv = "1MiB""#)),
            ("", ("backup", "restore"), Some(r#"backup = ["JOB"]"#)),
            ("", ("mail", "send"), Some(r#"mail = ["ACCOUNT"]"#)),
            (
                "[smtp.ops]\nhost = \"mail.example\"\nfrom = \"m@a.example\"\nto = [\"*@a.example\"]",
                ("mail", "send"),
                Some(r#"mail = ["ops"]"#),
            ),
            ("", ("later", "of another contract"), None),
        ] {
            let route = "[[route]]\nchain = [{ handler = \"p\" }]\n";
            let (_directory, loaded) = loaded(&format!("{route}{rest}"));
            let served = Served::from([serving("p", &[asked]), serving("idle", &[restarts])]);
            let found = problems(&loaded, &loaded.spec.plugin_specs(), &served);
            match expected {
                None => assert!(found.is_empty(), "{rest}: {found:?}"),
                Some(says) => {
                    assert_eq!(found.len(), 1, "{rest}: {found:?}");
                    assert!(found[0].help.contains(says), "{rest}: {found:?}");
                    assert!(!found[0].is_error(), "{found:?}");
                    assert!(found[0].message.contains(asked.0), "{found:?}");
                }
            }
        }
    }
}
