//! `[plugin.NAME]`.

use super::{
    super::{
        addresses::origin,
        context::EntityKind,
        document::Value,
        reader::ValueAt,
        suggest::{listed, nearest},
        values::{
            boolean, count, existing, json_object, name, one_of, path, positive_duration, size,
            text, whole, word,
        },
    },
    named,
};
use mainstay_domain::{
    name::{CommandName, JobName, MailAccountName, PluginName, TargetName},
    spec::{
        DirectoryGrant, Grants, HttpOrigin, Limits, OnDoubt, PluginSpec, TargetGrant, TargetVerb,
        with_instances,
    },
};
use std::{collections::BTreeMap, path::PathBuf};

pub(super) fn plugins(at: ValueAt<'_>) -> Option<BTreeMap<PluginName, PluginSpec>> {
    named(at, EntityKind::Plugin, PluginName::parse, |at, what| {
        let before = at.context.reported();
        let spec = at.fields(what, |fields| {
            let default = PluginSpec::default();
            Some(PluginSpec {
                grants: fields.or("grants", default.grants, grants),
                limits: fields.or("limits", default.limits, limits),
                settings: fields.or("settings", default.settings, json_object),
                plugin: fields.optional("plugin", instance_of),
                on_doubt: fields.or("on_doubt", default.on_doubt, on_doubt),
                instances: default.instances,
                only_instances: default.only_instances,
            })
        });
        if at.context.reported() > before {
            let misread = PluginName::parse(at.key).ok();
            at.context.facts.borrow_mut().misread.extend(misread);
        }
        spec
    })
    .map(with_instances)
}

/// The plugin of which it is an instance.
fn instance_of(at: ValueAt<'_>) -> Option<PluginName> {
    let plugin = name(PluginName::parse)(at)?;
    let mut facts = at.context.facts.borrow_mut();
    facts.instances.push((plugin.clone(), at.node.place));
    Some(plugin)
}

fn grants(at: ValueAt<'_>) -> Option<Grants> {
    at.fields("the plugin's grants", |fields| {
        let command = existing(EntityKind::Command, CommandName::parse);
        let job = existing(EntityKind::Job, JobName::parse);
        let account = existing(EntityKind::MailAccount, MailAccountName::parse);
        let targets = fields.list("target", "target = [\"restart\"]", target_grant);
        let commands = fields.list("command", "command = [\"flush-cache\"]", command);
        let jobs = fields.list("backup", "backup = [\"state\"]", job);
        let accounts = fields.list("mail", "mail = [\"ops\"]", account);
        let origins = fields.list("http", "http = [\"https://hooks.example\"]", http_grant);
        let is_idempotent =
            |(origin, idempotent): &(HttpOrigin, bool)| idempotent.then(|| origin.clone());
        Some(Grants {
            target: targets.into_iter().collect(),
            command: commands.into_iter().collect(),
            http_idempotent: origins.iter().filter_map(is_idempotent).collect(),
            http: origins.into_iter().map(|(origin, _)| origin).collect(),
            kv_bytes: fields.or("kv", 0, size(0..=1 << 30)),
            backup: jobs.into_iter().collect(),
            mail: accounts.into_iter().collect(),
            dir: fields.list("dir", "dir = [\"cache\"]", directory_grant),
        })
    })
}

/// `restart`, or `restart:redis`.
fn target_grant(at: ValueAt<'_>) -> Option<TargetGrant> {
    let found = text(at)?;
    let (verb, target) = match found.split_once(':') {
        Some((verb, target)) => (verb, Some(target)),
        None => (found.as_str(), None),
    };
    let words = TargetVerb::ALL.map(TargetVerb::as_str);
    let known = TargetVerb::ALL
        .into_iter()
        .find(|known| known.as_str() == verb);
    let Some(verb) = known else {
        let help = match nearest(verb, words) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!(
                "allowed are {}, alone or with a target: \"restart:redis\"",
                listed(words, '"')
            ),
        };
        return at.not("what a plugin can do to a target", help);
    };
    let target = match target.map(TargetName::parse) {
        None => None,
        Some(Ok(target)) => {
            at.context
                .require_reference(EntityKind::Target, target.as_str(), at.node.place);
            Some(target)
        }
        Some(Err(error)) => {
            return at.refuse(error.to_string(), "write e.g. \"restart:redis\"");
        }
    };
    Some(TargetGrant { verb, target })
}

/// `ask` or `tell`.
fn on_doubt(at: ValueAt<'_>) -> Option<OnDoubt> {
    let words = [("ask", OnDoubt::Ask), ("tell", OnDoubt::Tell)];
    one_of("what is done about an effect in doubt", &words, at)
}

/// `{ origin = "…", idempotent = true }`, or a plain origin.
fn http_grant(at: ValueAt<'_>) -> Option<(HttpOrigin, bool)> {
    match &at.node.value {
        Value::Table(_) => at.fields("the origin", |fields| {
            let granted = fields.required("origin", "origin = \"https://hooks.example\"", origin);
            let idempotent = fields.or("idempotent", false, boolean);
            Some((granted?, idempotent))
        }),
        _ => Some((origin(at)?, false)),
    }
}

/// `{ path = "…", write = true }`, or a plain path to read.
fn directory_grant(at: ValueAt<'_>) -> Option<DirectoryGrant> {
    let read_path = |at| Some((path(at)?, word(at)?));
    let grant = |(path, guest_path): (PathBuf, String), write| DirectoryGrant {
        path,
        guest_path,
        write,
    };
    match &at.node.value {
        Value::Table(_) => at.fields("the directory grant", |fields| {
            let path = fields.required("path", "path = \"cache\"", read_path);
            let write = fields.or("write", false, boolean);
            Some(grant(path?, write))
        }),
        _ => Some(grant(read_path(at)?, false)),
    }
}

fn limits(at: ValueAt<'_>) -> Option<Limits> {
    at.fields("the plugin's limits", |fields| {
        let default = Limits::default();
        let bytes = |range| size(range);
        Some(Limits {
            memory_bytes: fields.or("memory", default.memory_bytes, bytes(64 << 10..=256 << 20)),
            deadline: fields.or("deadline", default.deadline, positive_duration),
            timeout: fields.or("timeout", default.timeout, positive_duration),
            result_bytes: fields.or("result", default.result_bytes, bytes(1..=256 << 20)),
            log_lines: fields.or("log_lines", default.log_lines, whole(0..=u32::MAX)),
            effects: fields.or("effects", default.effects, whole(0..=u32::MAX)),
            concurrency: fields.or("concurrency", default.concurrency, count),
            journal_bytes: fields.or("journal", default.journal_bytes, bytes(1 << 10..=1 << 30)),
        })
    })
}
