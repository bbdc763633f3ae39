//! Whether a plugin may do what it asks for: its grants × the effect × the operation's own target.
//!
//! Invariant: what is not granted by name is denied, and the denial names the line of the config that would grant it.
//! Invariant: a URL is compared by what stands in it and never guessed at; whatever two parsers might read
//! differently (user info, backslashes, control characters, percent signs in the host) is denied.

use crate::{
    code::ErrorCode,
    effect::{Effect, EffectError},
    name::{PluginName, TargetName},
    spec::{Grants, HttpOrigin, TargetVerb},
    text,
};

/// Allows an effect, or denies it with a text that says how to grant it. `own_target` is the target of the operation
/// that the plugin works for, where it works for one.
///
/// # Errors
/// [`EffectError::Denied`], with the grant to write; also of a URL that cannot be compared with grants.
///
/// ```
/// use mainstay_domain::{effect::Effect, grant, name::PluginName, spec::Grants};
/// let plugin = PluginName::parse("restart-service").unwrap();
/// let restart = Effect::TargetRestart { target: "api".to_owned() };
/// let denied = grant::check(&plugin, &Grants::default(), &restart, None).unwrap_err();
/// assert!(denied.to_string().contains(r#"target = ["restart:api"]"#), "{denied}");
/// ```
pub fn check(
    plugin: &PluginName,
    grants: &Grants,
    effect: &Effect,
    own_target: Option<&TargetName>,
) -> Result<(), EffectError> {
    let missing = match effect {
        Effect::ClockNow | Effect::ClockSleep { .. } | Effect::AwaitSignal { .. } => None,
        Effect::TargetStatus { target } => may(grants, TargetVerb::Status, target, own_target),
        Effect::TargetStart { target } => may(grants, TargetVerb::Start, target, own_target),
        Effect::TargetStop { target } => may(grants, TargetVerb::Stop, target, own_target),
        Effect::TargetRestart { target } => may(grants, TargetVerb::Restart, target, own_target),
        Effect::TargetSend { target, .. } => may(grants, TargetVerb::Signal, target, own_target),
        Effect::TargetCheck { target } => may(grants, TargetVerb::Check, target, own_target),
        Effect::CommandRun { name, .. } => {
            let granted = grants.command.contains(name.as_str());
            (!granted).then(|| format!("command = [\"{}\"]", printable(name)))
        }
        Effect::HttpSend(request) => match origin_of(&request.url) {
            Some(origin) if grants.http.contains(&origin) => None,
            Some(origin) => Some(format!("http = [\"{}\"]", origin_text(&origin))),
            None => {
                return Err(EffectError::Denied(format!(
                    "{plugin} asked for `{}`: a URL must be http or https, with a plain host and no user or password \
                     in it, so that it can be compared with the grants",
                    printable(&request.url)
                )));
            }
        },
        Effect::MailSend(message) => {
            let granted = grants.mail.contains(message.account.as_str());
            (!granted).then(|| format!("mail = [\"{}\"]", printable(&message.account)))
        }
        Effect::KvGet { .. }
        | Effect::KvSet { .. }
        | Effect::KvDelete { .. }
        | Effect::KvCompareAndSet { .. }
        | Effect::KvKeys { .. } => (grants.kv_bytes == 0).then(|| "kv = \"1MiB\"".to_owned()),
        Effect::BackupNewest { job, .. }
        | Effect::BackupCreate { job, .. }
        | Effect::BackupRestore { job, .. } => {
            let granted = grants.backup.contains(job.as_str());
            (!granted).then(|| format!("backup = [\"{}\"]", printable(job)))
        }
    };
    match missing {
        None => Ok(()),
        Some(line) => Err(EffectError::Denied(ErrorCode::NotGranted.mark(format!(
            "{plugin} has no grant for {}; `[plugin.{plugin}] grants = {{ {line} }}` would give it",
            effect.name()
        )))),
    }
}

/// The grant that is missing for a verb over a target: the short form where the target is the operation's own.
fn may(
    grants: &Grants,
    verb: TargetVerb,
    target: &str,
    own_target: Option<&TargetName>,
) -> Option<String> {
    let own = own_target.is_some_and(|own| own.as_str() == target);
    let granted = grants.target.iter().any(|grant| match &grant.target {
        _ if grant.verb != verb => false,
        Some(named) => named.as_str() == target,
        None => own,
    });
    let verb = verb.as_str();
    match (granted, own) {
        (true, _) => None,
        (false, true) => Some(format!("target = [\"{verb}\"]")),
        (false, false) => Some(format!("target = [\"{verb}:{}\"]", printable(target))),
    }
}

/// The origin of a URL, where it can be read in one way only.
pub fn origin_of(url: &str) -> Option<HttpOrigin> {
    if url.bytes().any(|b| !b.is_ascii_graphic() || b == b'\\') {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let (scheme, default_port) = match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => ("http", 80),
        _ if scheme.eq_ignore_ascii_case("https") => ("https", 443),
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (address, after) = v6.split_once(']')?;
            let address: std::net::Ipv6Addr = address.parse().ok()?;
            let port = match after {
                "" => None,
                _ => Some(after.strip_prefix(':')?),
            };
            (address.to_string(), port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_ascii_lowercase(), Some(port)),
            None => (authority.to_ascii_lowercase(), None),
        },
    };
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(plain) {
        return None;
    }
    let port = match port {
        None => default_port,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    Some(HttpOrigin {
        scheme: scheme.to_owned(),
        host,
        port,
    })
}

/// Whether nobody but the two ends sees what goes to a URL: it is of `https`, or of `http` to this machine.
pub fn is_private(url: &str) -> bool {
    let begin = url.get(.."https://".len()).unwrap_or_default();
    let is_here = |origin: HttpOrigin| {
        let address = origin.host.parse::<std::net::IpAddr>();
        origin.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    begin.eq_ignore_ascii_case("https://") || origin_of(url).is_some_and(is_here)
}

/// The origin as an operator writes it.
fn origin_text(origin: &HttpOrigin) -> String {
    let HttpOrigin { scheme, host, port } = origin;
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.clone()
    };
    match (scheme.as_str(), port) {
        ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

/// What a guest wrote, short and without anything that could disturb a terminal or a config line.
fn printable(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    text::printable(&short, '?').replace('"', "?")
}

#[cfg(test)]
mod tests;
