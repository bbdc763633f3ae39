//! `[host]`, `[command.NAME]` and `[secrets]`.

use super::{
    super::{
        addresses::{host_name, socket_address},
        context::EntityKind,
        reader::{Fields, ValueAt},
        values::{
            boolean, display_name, environment, existing, name, path, plain, positive_duration,
            run, word,
        },
    },
    named, runner,
};
use mainstay_backup::UNSIGNED;
use mainstay_domain::{
    name::{CommandName, SecretName},
    spec::{ApiSpec, CommandSpec, HostSpec, SecretSource, SocketSpec, ViewerSpec},
    text::printable,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

/// How long history is kept by default.
const QUARTER: Duration = Duration::from_secs(90 * 24 * 3600);

pub(super) fn host(at: ValueAt<'_>) -> Option<HostSpec> {
    at.fields("[host]", |fields| {
        let name = fields.optional("name", display_name);
        let state_dir = fields.required("state_dir", "state_dir = \"state\"", path);
        let plugin_dir = fields.required("plugin_dir", "plugin_dir = \"plugins\"", path);
        if let (Some(state), Some(plugins), Some(at)) =
            (&state_dir, &plugin_dir, fields.get("plugin_dir"))
        {
            judge_directories(state, plugins, at);
        }
        for key in ["state_dir", "plugin_dir"] {
            if let Some(at) = fields.get(key) {
                let mut facts = at.context.facts.borrow_mut();
                facts.directories.insert(key, at.node.place);
            }
        }
        let thirty = Duration::from_secs(30);
        let api = fields.or("api", ApiKeys::default(), api);
        Some(HostSpec {
            name: name.unwrap_or_else(machine_name),
            shutdown_deadline: fields.or("shutdown_deadline", thirty, positive_duration),
            keep_history: fields.or("keep_history", QUARTER, positive_duration),
            socket: api.socket,
            api: api.tcp,
            trusted_backup_keys: fields.list(
                "trusted_backup_keys",
                "trusted_backup_keys = [\"64 hexadecimal digits\"]",
                backup_key,
            ),
            state_dir: state_dir?,
            plugin_dir: plugin_dir?,
        })
    })
}

/// A public key of a host, as `signature.key` in its manifests, or the word for backups without one.
fn backup_key(at: ValueAt<'_>) -> Option<String> {
    let key = word(at)?;
    let is_key = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_key || key == UNSIGNED {
        true => Some(key.to_ascii_lowercase()),
        false => at.not(
            "a key that signs backups",
            "write the 64 hexadecimal digits that `signature.key` is in the manifests of that host, or \"unsigned\" for \
             backups of a version before signatures",
        ),
    }
}

/// What lies in the plugin directory is loaded, and the state directory holds builds that were accepted once: one in the
/// other, and the host would take its own files for plugins that were dropped.
fn judge_directories(state: &Path, plugins: &Path, at: ValueAt<'_>) {
    let (state_plain, plugins_plain) = (plain(state), plain(plugins));
    let found = match () {
        () if state_plain == plugins_plain => "is the state directory",
        () if plugins_plain.starts_with(&state_plain) => "lies in the state directory",
        () if state_plain.starts_with(&plugins_plain) => "holds the state directory",
        () => return,
    };
    at.refuse::<()>(
        format!(
            "`plugin_dir` {found}, {}: the host would take its own files for plugins",
            state.display()
        ),
        "name a directory beside `state_dir`, e.g. plugin_dir = \"plugins\"",
    );
}

/// What the machine calls itself.
fn machine_name() -> String {
    let machine = rustix::system::uname();
    shown_name(&machine.nodename().to_string_lossy())
}

/// A machine may call itself anything, or nothing at all.
fn shown_name(machine: &str) -> String {
    match machine {
        "" => "localhost".to_owned(),
        name => printable(name, '-'),
    }
}

/// What the keys of `api` say.
#[derive(Default)]
struct ApiKeys {
    tcp: Option<ApiSpec>,
    socket: SocketSpec,
}

fn api(at: ValueAt<'_>) -> Option<ApiKeys> {
    at.fields("the host's api", |fields| {
        let socket = SocketSpec {
            group: fields.optional("group", account),
            viewers: fields.list("viewers", "viewers = [\"anna\", \"@staff\"]", viewer),
        };
        for (key, told) in [("group", "api.group"), ("viewers", "api.viewers")] {
            if let Some(at) = fields.get(key) {
                let mut facts = at.context.facts.borrow_mut();
                facts.directories.insert(told, at.node.place);
            }
        }
        let tcp = ["listen", "token", "hosts"].map(|key| fields.get(key).is_some());
        let sharing = ["group", "viewers"].map(|key| fields.get(key).is_some());
        if sharing.contains(&true) && !tcp.contains(&true) {
            return Some(ApiKeys { tcp: None, socket });
        }
        let listen = fields.required("listen", "listen = \"127.0.0.1:7070\"", socket_address);
        if let (Some(listen), Some(at)) = (listen, fields.get("listen"))
            && !listen.ip().to_canonical().is_loopback()
        {
            at.context.warn(
                at.node.place,
                format!("the admin API listens on {listen}, where other machines reach it, and has no TLS: whoever is on \
                         the way reads its token"),
                "listen on 127.0.0.1, with a proxy that has TLS before it, or use the socket in state_dir, e.g. over ssh",
            );
        }
        let secret = existing(EntityKind::Secret, SecretName::parse);
        let token = fields.required("token", "token = \"NAME\", a secret of [secrets]", secret);
        let hosts = fields.list("hosts", "hosts = [\"mainstay.example\"]", host_name);
        let tcp = ApiSpec {
            listen: listen?,
            token: token?,
            hosts,
        };
        Some(ApiKeys {
            tcp: Some(tcp),
            socket,
        })
    })
}

/// Whether a user or a group may be called so.
fn is_account(name: &str) -> bool {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-$".contains(letter);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(is_allowed)
}

/// The name of a user or of a group of the machine.
fn account(at: ValueAt<'_>) -> Option<String> {
    let name = word(at)?;
    match is_account(&name) {
        true => Some(name),
        false => at.not(
            "the name of an account",
            "write it as /etc/passwd or /etc/group has it, e.g. \"ops\"",
        ),
    }
}

fn viewer(at: ValueAt<'_>) -> Option<ViewerSpec> {
    let written = word(at)?;
    let (name, is_group) = match written.strip_prefix('@') {
        Some(group) => (group, true),
        None => (written.as_str(), false),
    };
    if !is_account(name) {
        return at.not(
            "the name of a user, or of a group behind an @",
            "write it as /etc/passwd or /etc/group has it, e.g. \"anna\" or \"@staff\"",
        );
    }
    Some(match is_group {
        true => ViewerSpec::Group(name.to_owned()),
        false => ViewerSpec::User(name.to_owned()),
    })
}

pub(super) fn commands(at: ValueAt<'_>) -> Option<BTreeMap<CommandName, CommandSpec>> {
    named(at, EntityKind::Command, CommandName::parse, |at, what| {
        at.fields(what, |fields| command(at, fields))
    })
}

fn command<'a>(at: ValueAt<'a>, fields: &mut Fields<'a>) -> Option<CommandSpec> {
    let arguments = fields.required("run", "run = [\"program\", \"argument\"]", run);
    let used = arguments.as_deref().map(used_placeholders);
    let given = arguments.as_deref().unwrap_or_default();
    let placeholders = fields.list("placeholders", "placeholders = [\"key\"]", |at| {
        let found: CommandName = name(CommandName::parse)(at)?;
        let written = format!("{{{found}}}");
        if used
            .as_ref()
            .is_some_and(|used| !used.contains(found.as_str()))
        {
            return at.refuse(
                format!("no argument of the command holds {written}"),
                format!("write {written} where its value is to stand, or remove the placeholder"),
            );
        }
        if given.first().is_some_and(|program| program.contains(&written)) {
            return at.refuse(
                format!("the program of the command holds {written}, so that a plugin would choose what runs"),
                "write the program itself; only arguments can hold placeholders",
            );
        }
        if runner::runs(given, &written) {
            at.context.warn(
                at.node.place,
                format!("what a plugin gives for {written} is run as a program or a script"),
                "write what runs yourself, and let the plugin fill in its arguments: [\"sh\", \"-c\", \"rm -- \\\"$1\\\"\", \"sh\", \"{file}\"]",
            );
        }
        Some(found.to_string())
    });
    Some(CommandSpec {
        placeholders,
        cwd: fields.or("cwd", at.context.base.to_owned(), path),
        env: fields.or("env", BTreeMap::new(), environment),
        user: fields.optional("user", word),
        timeout: fields.or("timeout", Duration::from_secs(30), positive_duration),
        idempotent: fields.or("idempotent", false, boolean),
        run: arguments?,
    })
}

/// Whatever stands in braces in some arguments and has none itself.
fn used_placeholders(arguments: &[String]) -> BTreeSet<&str> {
    let behind_braces = arguments
        .iter()
        .flat_map(|argument| argument.split('{').skip(1));
    behind_braces
        .filter_map(|text| text.split_once('}').map(|(inside, _)| inside))
        .collect()
}

pub(super) fn secrets(at: ValueAt<'_>) -> Option<BTreeMap<SecretName, SecretSource>> {
    const HELP: &str = "write { file = \"path\" } or { env = \"VARIABLE\" }";
    named(at, EntityKind::Secret, SecretName::parse, |at, what| {
        at.fields(what, |fields| {
            let file = fields.get("file");
            let variable = fields.get("env");
            match (file, variable) {
                (Some(file), None) => path(file).map(SecretSource::File),
                (None, Some(variable)) => word(variable).map(SecretSource::Env),
                (Some(_), Some(_)) => at.refuse(format!("{what} has both `file` and `env`"), HELP),
                (None, None) => at.refuse(format!("{what} has neither `file` nor `env`"), HELP),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_calls_itself_anything_has_a_name_that_can_be_shown() {
        for (machine, expected) in [
            ("web-1", "web-1"),
            ("web\u{1b}[2J", "web-[2J"),
            ("web\n1", "web-1"),
            ("", "localhost"),
        ] {
            assert_eq!(shown_name(machine), expected);
        }
    }
}
