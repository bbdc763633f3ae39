//! Mails of the alerter `email` that the host would refuse, each for good: else it is found out when one is not delivered.
//!
//! Warnings, for the daemon runs all the same, and other alerters deliver.

use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::{
    mail_address::MailAddress,
    spec::{PluginSpec, Spec, plugin_behind},
};
use serde_json::Value;

/// The plugin whose settings are known: `account` and `to`.
const EMAIL: &str = "email";

/// A warning for each address that the account may not write to, and for each account that is not granted.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let spec = &loaded.spec;
    let mut problems = Vec::new();
    for (name, plugin) in &spec.plugins {
        if plugin.only_instances || plugin_behind(&spec.plugins, name).as_str() != EMAIL {
            continue;
        }
        let found = refused(plugin, spec).into_iter();
        let found = found.map(|it| loaded.problem_about(EntityKind::Plugin, name.as_str(), it));
        problems.extend(found);
    }
    problems
}

fn refused(plugin: &PluginSpec, spec: &Spec) -> Vec<Problem> {
    let Some(name) = plugin.settings.get("account").and_then(Value::as_str) else {
        return Vec::new();
    };
    let Some(account) = spec.smtp.get(name) else {
        let message = format!("its settings name the mail account `{name}`, which is not there");
        let help = format!("add [smtp.{name}] with host, from and to, or name another `account`");
        return vec![Problem::warning(message, help)];
    };
    let granted = &plugin.grants.mail;
    // That nothing at all is granted is told with what the plugin asks for.
    if !granted.is_empty() && !granted.contains(name) {
        let message = format!("its settings name the mail account `{name}`, which is not granted");
        let help = format!("add \"{name}\" to `mail` of its grants, or name another `account`");
        return vec![Problem::warning(message, help)];
    }
    let to = plugin.settings.get("to").and_then(Value::as_array);
    let to = to.into_iter().flatten().filter_map(Value::as_str);
    let refused = to.filter_map(MailAddress::parse).filter(|address| {
        let mut allowed = account.to.iter();
        !allowed.any(|allowed| allowed.include(address))
    });
    let told = refused.map(|address| {
        let message = format!(
            "the mail account `{name}` may not write to {address}, and no mail would be sent"
        );
        let help = format!("add \"{address}\" to `to` of [smtp.{name}], or name another address");
        Problem::warning(message, help)
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn a_mail_that_the_host_would_refuse_is_told_before_the_alert() {
        let accounts = "[smtp.ops]\nhost = \"m.example\"\nfrom = \"m@a.example\"\nto = [\"b@a.example\", \"*@c.example\"]\n\
                        [smtp.other]\nhost = \"m.example\"\nfrom = \"m@a.example\"\nto = [\"*@a.example\"]\n";
        let nobody = "may not write to a@else.example";
        for (table, account, to, says) in [
            ("email", "ops", "b@a.example x@c.example", None),
            ("email", "ops", "b@a.example a@else.example", Some(nobody)),
            ("email", "other", "b@a.example", Some("not granted")),
            ("email", "opps", "b@a.example", Some("not there")),
            ("pager", "ops", "a@else.example", Some(nobody)),
            // What the settings of others mean is theirs.
            ("mine", "ops", "a@else.example", None),
        ] {
            let of = match table {
                "pager" => "plugin = \"email\"\n",
                _ => "",
            };
            let to: Vec<&str> = to.split(' ').collect();
            let config = format!(
                "{accounts}[plugin.{table}]\n{of}grants = {{ mail = [\"ops\"] }}\n\
                 settings = {{ account = \"{account}\", to = {to:?} }}\n"
            );
            let (_directory, loaded) = testing::loaded(&config);
            let found = problems(&loaded);
            assert_eq!(found.len(), usize::from(says.is_some()), "{found:?}");
            for problem in found {
                assert!(!problem.is_error(), "{problem:?}");
                assert_eq!(problem.line, Some(12), "{problem:?}");
                assert!(problem.message.contains(says.unwrap()), "{problem:?}");
            }
        }
    }
}
