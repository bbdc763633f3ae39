//! The tables of a config, with their keys.
//!
//! Invariant: each field of a spec is named here, so that none is forgotten.

use super::{
    said::{Keys, keys, says, whole, wholes},
    targets::target,
};
use crate::spec::{
    HookSpec, HostSpec, JobSpec, PluginSpec, PolicySpec, ProofSchedules, ReadingSpec, SealingSpec,
    SocketSpec, Spec, StartSpec,
};
use std::collections::BTreeMap;

/// Every table, by its name; of those that the config may leave out and that have no names in them only what it says.
pub(super) fn tables(spec: &Spec) -> BTreeMap<String, Keys<'_>> {
    let Spec {
        host: own,
        targets,
        commands,
        smtp,
        secrets,
        routes,
        plugins,
        alerts,
        jobs,
        tiers,
        maintenance,
        escalation,
        policy,
        statsd,
        digest: _,
    } = spec;
    let PolicySpec {
        host: budget,
        groups,
        targets: target_policies,
        approval,
        charter,
        cooldowns,
        phases,
    } = policy;
    let mut tables = BTreeMap::from([
        ("host".to_owned(), host(own)),
        ("escalation".to_owned(), whole(escalation)),
        ("budget".to_owned(), whole(budget)),
        ("approval".to_owned(), whole(approval)),
        ("cooldown".to_owned(), whole(cooldowns)),
    ]);
    for one in targets {
        let policy = target_policies.get(&one.name);
        tables.insert(format!("target.{}", one.name), target(one, policy));
    }
    for one in jobs {
        tables.insert(format!("job.{}", one.name), job(one));
    }
    for (name, one) in plugins {
        // Of one that is there for its instances alone the config says nothing.
        if !one.only_instances {
            tables.insert(format!("plugin.{name}"), plugin(one));
        }
    }
    tables.extend(wholes("command", commands));
    tables.extend(wholes("smtp", smtp));
    tables.extend(wholes("secrets", secrets));
    tables.extend(wholes("tier", tiers));
    tables.extend(wholes("group", groups));
    tables.extend(wholes("phase", phases));
    if let Some(charter) = charter {
        tables.insert("charter".to_owned(), whole(charter));
    }
    if let Some(statsd) = statsd {
        tables.insert("telemetry.statsd".to_owned(), whole(statsd));
    }
    if !routes.is_empty() {
        tables.insert("route".to_owned(), whole(routes));
    }
    if !alerts.is_empty() {
        tables.insert("alert".to_owned(), whole(alerts));
    }
    if !maintenance.is_empty() {
        tables.insert("maintenance".to_owned(), whole(maintenance));
    }
    tables
}

fn host(host: &HostSpec) -> Keys<'_> {
    let HostSpec {
        name,
        state_dir,
        plugin_dir,
        shutdown_deadline,
        keep_history,
        api,
        socket: SocketSpec { group, viewers },
        trusted_backup_keys,
    } = host;
    keys([
        ("name", says(name)),
        ("state_dir", says(state_dir)),
        ("plugin_dir", says(plugin_dir)),
        ("shutdown_deadline", says(shutdown_deadline)),
        ("keep_history", says(keep_history)),
        ("api", says(api)),
        ("api.group", says(group)),
        ("api.viewers", says(viewers)),
        ("trusted_backup_keys", says(trusted_backup_keys)),
    ])
}

fn job(job: &JobSpec) -> Keys<'_> {
    let JobSpec {
        name: _,
        sources,
        reading:
            ReadingSpec {
                exclude,
                exclude_caches,
                one_filesystem,
                include,
                on_unreadable,
            },
        after,
        full,
        differential,
        incremental,
        rpo,
        // By the schedules.
        stale_after: _,
        compression,
        shrink_guard,
        hooks:
            HookSpec {
                before,
                after_success,
                after_failure,
            },
        retention,
        checkpoints,
        proofs:
            ProofSchedules {
                verify,
                sample,
                drill: drilled,
            },
        drill,
        starts: StartSpec { delay, window },
        tiers,
        archive,
        sealing:
            SealingSpec {
                encryption,
                recipients_file,
                identity,
                index,
            },
    } = job;
    keys([
        ("source", says(sources)),
        ("exclude", says(exclude)),
        ("exclude_caches", says(exclude_caches)),
        ("one_filesystem", says(one_filesystem)),
        ("include", says(include)),
        ("on_unreadable", says(on_unreadable)),
        ("after", says(after)),
        ("full", says(full)),
        ("differential", says(differential)),
        ("incremental", says(incremental)),
        ("rpo", says(rpo)),
        ("compression", says(compression)),
        ("shrink_guard", says(shrink_guard)),
        ("before", says(before)),
        ("after_success", says(after_success)),
        ("after_failure", says(after_failure)),
        ("retention", says(retention)),
        ("checkpoints", says(checkpoints)),
        ("verify", says(verify)),
        ("verify.sample", says(sample)),
        ("drill", says(drilled)),
        ("drill.commands", says(drill)),
        ("jitter", says(delay)),
        ("window", says(window)),
        ("tiers", says(tiers)),
        ("archive", says(archive)),
        ("encryption", says(encryption)),
        ("encryption.recipients_file", says(recipients_file)),
        ("identity", says(identity)),
        ("index", says(index)),
    ])
}

fn plugin(plugin: &PluginSpec) -> Keys<'_> {
    let PluginSpec {
        grants,
        limits,
        settings,
        plugin,
        // Each is a table of its own.
        instances: _,
        only_instances: _,
        on_doubt,
    } = plugin;
    keys([
        ("grants", says(grants)),
        ("limits", says(limits)),
        ("settings", says(settings)),
        ("plugin", says(plugin)),
        ("on_doubt", says(on_doubt)),
    ])
}
