//! The name that was meant, where there is none like it.

use crate::cli::{client::Client, failure::WithHelp, listings::parse};
use mainstay_api::Status;

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Named {
    Target,
    Job,
    Plugin,
}

impl Named {
    fn noun(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Job => "backup job",
            Self::Plugin => "plugin",
        }
    }

    /// What lists them all.
    fn command(self) -> &'static str {
        match self {
            Self::Target | Self::Job => "mainstay status --all",
            Self::Plugin => "mainstay plugin list --all",
        }
    }
}

/// An answer as it is; where it is a refusal and there is nothing of that name, the refusal says which one is nearest.
pub(in crate::cli) async fn with_nearest<T>(
    client: &Client,
    named: Named,
    name: &str,
    answer: anyhow::Result<T>,
) -> anyhow::Result<T> {
    let error = match answer {
        Ok(done) => return Ok(done),
        Err(error) => error,
    };
    // A refusal that does not speak of the name is about something else, as is a daemon that says nothing.
    if !error.is::<WithHelp>() || !error.to_string().contains(name) {
        return Err(error);
    }
    // What cannot be asked now does not hide what was refused.
    match unknown(client, named, name).await {
        Ok(Some(unknown)) => Err(unknown.into()),
        _ => Err(error),
    }
}

/// That there is nothing of that name, with the nearest one; none where there is.
pub(in crate::cli) async fn unknown(
    client: &Client,
    named: Named,
    name: &str,
) -> anyhow::Result<Option<WithHelp>> {
    let status = parse::<Status>(&client.get("/v1/status").await?)?;
    let names: Vec<String> = match named {
        Named::Target => status.targets.into_iter().map(|row| row.name).collect(),
        Named::Job => status.jobs.into_iter().map(|row| row.name).collect(),
        Named::Plugin => {
            let rows = status.plugins.into_iter();
            rows.filter_map(|row| row.name).collect()
        }
    };
    let is_known = names.iter().any(|known| known == name);
    Ok((!is_known).then(|| refusal(named, name, &names)))
}

fn refusal(named: Named, name: &str, names: &[String]) -> WithHelp {
    let noun = named.noun();
    let known = match names {
        [] => format!("there are no {noun}s"),
        _ => format!("`{}` lists them", named.command()),
    };
    let help = match nearest(name, names) {
        Some(meant) => format!("did you mean `{meant}`? {known}"),
        None => known,
    };
    WithHelp {
        error: format!("there is no {noun} `{name}`"),
        help: Some(help),
    }
}

/// The name that is so near that a slip of the finger explains it; of those alike the first.
fn nearest<'a>(name: &str, names: &'a [String]) -> Option<&'a str> {
    let near = names.iter().map(|known| (distance(name, known), known));
    let (distance, meant) = near.min_by_key(|(distance, _)| *distance)?;
    let begins = meant.starts_with(name) && name.len() > 1;
    let longest = name.chars().count().max(meant.chars().count());
    (begins || distance <= longest.div_ceil(3)).then_some(meant.as_str())
}

/// How many letters have to be added, removed or replaced (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (known, above) in other.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(*known != letter);
            left = replaced.min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_meant_where_a_slip_explains_it() {
        let names = ["api-gateway", "redis", "postgres"].map(str::to_owned);
        for (name, expected) in [
            ("redsi", Some("redis")),
            ("rediss", Some("redis")),
            ("postgre", Some("postgres")),
            ("api", Some("api-gateway")),
            ("nothing-like-it", None),
        ] {
            assert_eq!(nearest(name, &names), expected, "{name}");
        }
        assert_eq!(nearest("redis", &[]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    #[test]
    fn a_refusal_says_what_was_found_and_what_to_do() {
        let refusal = refusal(Named::Job, "sate", &["state".to_owned()]);
        assert_eq!(refusal.error, "there is no backup job `sate`");
        assert_eq!(
            refusal.help.unwrap(),
            "did you mean `state`? `mainstay status --all` lists them"
        );
    }
}
