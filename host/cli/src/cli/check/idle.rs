//! Tables of plugins that mean nothing: no file is of their name, and nothing names it. Mostly the name is misspelt.
//!
//! Warnings, for the plugin may be dropped in later.

use super::{Served, Wanted};
use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::{name::PluginName, spec::plugin_behind};
use std::collections::HashSet;

/// A warning for each; what is at fault is told already.
pub(super) fn problems(
    loaded: &Loaded,
    served: &Served,
    at_fault: &HashSet<PluginName>,
    wanted: &[Wanted<'_>],
) -> Vec<Problem> {
    let plugins = &loaded.spec.plugins;
    let named: HashSet<&PluginName> = wanted
        .iter()
        .map(|wanted| plugin_behind(plugins, wanted.name))
        .collect();
    let idle = plugins.iter().filter(|(name, spec)| {
        let is_instance = spec.plugin.is_some();
        let is_there = served.contains_key(*name) || at_fault.contains(*name);
        !is_instance && spec.instances.is_empty() && !is_there && !named.contains(name)
    });
    let problem = |name: &PluginName| {
        let message = format!(
            "[plugin.{name}] is of no plugin: the plugin directory has none of this name that serves, and nothing names it"
        );
        let help = "correct the name, as `mainstay plugin list --available` and `mainstay plugin inspect FILE` show it, or \
                    remove the table";
        let problem = Problem::warning(message, help);
        loaded.problem_about(EntityKind::Plugin, name.as_str(), problem)
    };
    idle.map(|(name, _)| problem(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{testing::loaded, wanted},
        *,
    };

    #[test]
    fn a_table_of_no_plugin_is_told_with_its_line() {
        let route = "[[route]]\nchain = [{ handler = \"p\" }]\n";
        let table = "[plugin.p]\nsettings = { a = 1 }\n";
        let instance = "[plugin.day]\nplugin = \"p\"\nsettings = { a = 1 }\n";
        let name = || PluginName::parse("p").unwrap();
        let (none, there) = (Served::new(), Served::from([(name(), Vec::new())]));
        let (sound, at_fault) = (HashSet::new(), HashSet::from([name()]));
        for (rest, served, faulty, expected) in [
            (table.to_owned(), &none, &sound, 1),
            (table.to_owned(), &there, &sound, 0),
            (table.to_owned(), &none, &at_fault, 0),
            (format!("{route}{table}"), &none, &sound, 0),
            (format!("{table}{instance}"), &none, &sound, 0),
        ] {
            let (_directory, loaded) = loaded(&rest);
            let found = problems(&loaded, served, faulty, &wanted(&loaded));
            assert_eq!(found.len(), expected, "{rest}: {found:?}");
            for problem in &found {
                // The head of the config has three lines.
                assert_eq!(problem.line, Some(4), "{problem:?}");
                assert!(!problem.is_error(), "{problem:?}");
            }
        }
    }
}
