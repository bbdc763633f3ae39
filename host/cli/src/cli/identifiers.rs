//! Identifiers as people type them: whole, or so much of their beginning or end as only one has.
//!
//! Invariant: one that could be several is refused, and they are named; nothing is guessed.

use super::{
    client::{Client, path_with},
    failure::{Usage, WithHelp},
    listings::parse,
};
use mainstay_domain::{
    id::{BackupId, IncidentId, OperationId, SilenceId},
    text::excerpt,
};
use serde::Deserialize;

/// Shorter than this everything is near everything.
const LEAST: usize = 4;

/// So many records are looked through.
const MOST: u32 = 100_000;

/// So many candidates are named.
const NAMED: usize = 8;

/// An identifier as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdText(String);

impl IdText {
    /// Checks a text: it may be the beginning or the end of the identifier of an operation or of an incident.
    ///
    /// # Errors
    /// It is too short, or has characters that none has.
    pub fn parse(text: &str) -> Result<Self, String> {
        let examples = [OperationId::EXAMPLE, IncidentId::EXAMPLE].join(" or ");
        Self::like(text, &examples)
    }

    /// The same of one kind of record.
    pub(super) fn of<I: Listed>(text: &str) -> Result<Self, String> {
        Self::like(text, I::EXAMPLE)
    }

    fn like(text: &str, examples: &str) -> Result<Self, String> {
        let is_good = text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        if is_good && text.len() >= LEAST {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{}` is no identifier: it looks like {examples}, and its beginning or its end will do, from {LEAST} letters on, \
             where no other has it",
            excerpt(text)
        ))
    }
}

impl std::fmt::Display for IdText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Kinds of records that have identifiers and are listed.
pub(super) trait Listed: Sized + std::fmt::Display {
    /// One of them.
    const EXAMPLE: &'static str;
    /// What it identifies.
    const NOUN: &'static str;
    /// Where they are listed.
    const PATH: &'static str;
    /// Whether the list takes a limit.
    const LIMITED: bool;
    /// What lists them for people.
    const COMMAND: &'static str;
    /// Reads a whole one.
    fn whole(text: &str) -> Option<Self>;
}

macro_rules! listed {
    ($id:ident, $example:literal, $noun:literal, $path:literal, $limited:literal, $command:literal) => {
        impl Listed for $id {
            const EXAMPLE: &'static str = $example;
            const NOUN: &'static str = $noun;
            const PATH: &'static str = $path;
            const LIMITED: bool = $limited;
            const COMMAND: &'static str = $command;
            fn whole(text: &str) -> Option<Self> {
                Self::parse(text).ok()
            }
        }
    };
}

listed!(
    OperationId,
    "op-01K0000000000000000000000A",
    "operation",
    "/v1/operations",
    true,
    "mainstay history"
);
listed!(
    IncidentId,
    "inc-01K0000000000000000000000A",
    "incident",
    "/v1/incidents",
    true,
    "mainstay incidents"
);
listed!(
    SilenceId,
    "sil-01K0000000000000000000000A",
    "silence",
    "/v1/silences",
    false,
    "mainstay silences"
);
listed!(
    BackupId,
    "ful-01K0000000000000000000000A",
    "backup",
    "/v1/backups",
    false,
    "mainstay backup list"
);

/// Of a record only that.
#[derive(Deserialize)]
struct WithId {
    id: String,
    /// Of a backup.
    #[serde(default)]
    job: Option<String>,
}

impl IdText {
    /// The identifier that it is, or stands for.
    pub(super) async fn resolve<I: Listed>(&self, client: &Client) -> anyhow::Result<I> {
        if let Some(id) = I::whole(&self.0) {
            return Ok(id);
        }
        let limit = I::LIMITED.then(|| MOST.to_string());
        let answer = client.get(&path_with(I::PATH, &[("limit", limit)])).await?;
        let records: Vec<WithId> = parse(&answer)?;
        let ids: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
        self.among(&ids).map_err(|error| {
            let is_none = I::NOUN == BackupId::NOUN && !error.is::<Usage>();
            let of_job = is_none.then(|| self.as_job(&records)).flatten();
            of_job.unwrap_or(error)
        })
    }

    /// That it is a job, of which the newest backup is named.
    fn as_job(&self, records: &[WithId]) -> Option<anyhow::Error> {
        let name = Some(self.0.as_str());
        let newest = records.iter().find(|it| it.job.as_deref() == name)?;
        let error = WithHelp {
            error: format!("`{self}` is a job, and the identifier of a backup is asked for"),
            help: Some(format!(
                "its newest backup is {}; `mainstay backup list --job {self}` lists all of them",
                newest.id
            )),
        };
        Some(error.into())
    }

    /// The incident or the operation that it is, or stands for.
    pub(super) async fn resolve_noted(&self, client: &Client) -> anyhow::Result<String> {
        if IncidentId::whole(&self.0).is_some() || OperationId::whole(&self.0).is_some() {
            return Ok(self.0.clone());
        }
        let incident = self.resolve::<IncidentId>(client).await;
        let operation = self.resolve::<OperationId>(client).await;
        match (incident, operation) {
            // It can be several of one kind.
            (Err(error), _) | (_, Err(error)) if error.is::<Usage>() => Err(error),
            (Ok(incident), Ok(operation)) => Err(Usage(format!(
                "`{}` can be {incident} and {operation}; write more of the one that you mean",
                self.0
            ))
            .into()),
            (Ok(incident), Err(_)) => Ok(incident.to_string()),
            (Err(_), Ok(operation)) => Ok(operation.to_string()),
            (Err(of_incident), Err(of_operation)) => Err(match self.0.starts_with("op-") {
                true => of_operation,
                false => of_incident,
            }),
        }
    }

    /// The only one of these that it can be.
    fn among<I: Listed>(&self, ids: &[String]) -> anyhow::Result<I> {
        let found: Vec<&String> = ids.iter().filter(|id| self.can_be(id)).collect();
        let (noun, text) = (I::NOUN, &self.0);
        match found.as_slice() {
            [only] => I::whole(only).ok_or_else(|| {
                anyhow::anyhow!("the daemon lists {noun} {only}, whose identifier is none")
            }),
            [] => Err(WithHelp {
                error: format!("there is no {noun} whose identifier begins or ends with `{text}`"),
                help: Some(format!("`{}` lists them", I::COMMAND)),
            }
            .into()),
            several => {
                let named: Vec<&str> = several.iter().take(NAMED).map(|id| id.as_str()).collect();
                let more = match several.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                Err(Usage(format!(
                    "`{text}` can be {} {noun}s: {}{more}; write more of the one that you mean",
                    several.len(),
                    named.join(", ")
                ))
                .into())
            }
        }
    }

    /// Whether it is the beginning or the end of this one, with or without its kind; letter case aside.
    fn can_be(&self, id: &str) -> bool {
        let (id, text) = (id.to_ascii_lowercase(), self.0.to_ascii_lowercase());
        let number = id.split_once('-').map_or("", |(_, number)| number);
        id.starts_with(&text) || id.ends_with(&text) || number.starts_with(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Vec<String> {
        [
            "op-01K0000000000000000000AAAA",
            "op-01K1000000000000000000BBAA",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn meant(text: &str) -> Result<String, String> {
        let found = IdText::parse(text).unwrap().among::<OperationId>(&ids());
        found
            .map(|id| id.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_beginning_or_an_end_that_only_one_has_is_that_one() {
        let [first, second]: [String; 2] = ids().try_into().unwrap();
        for (text, expected) in [
            (first.as_str(), &first),
            ("op-01K0", &first),
            ("01k1", &second),
            ("AAAA", &first),
            ("00bbaa", &second),
        ] {
            assert_eq!(meant(text).as_ref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told_with_one_of_the_kind_that_is_asked_for() {
        fn check<I: Listed>(prefix: &str) {
            assert!(I::EXAMPLE.starts_with(prefix) && I::whole(I::EXAMPLE).is_some());
            let error = IdText::of::<I>("ful").unwrap_err();
            let looks = format!("looks like {}, and", I::EXAMPLE);
            assert!(error.contains(&looks), "{error}");
            assert_eq!(IdText::of::<I>("01K0"), IdText::parse("01K0"));
        }
        check::<BackupId>("ful-");
        check::<IncidentId>("inc-");
        check::<OperationId>("op-");
        check::<SilenceId>("sil-");
        let error = IdText::parse("ful").unwrap_err();
        assert!(
            error.contains("like op-01K0000000000000000000000A or inc-"),
            "{error}"
        );
    }

    #[test]
    fn what_can_be_several_is_refused_with_all_of_them_and_what_can_be_none_with_what_lists_them() {
        let error = meant("op-01K").unwrap_err();
        for id in ids() {
            assert!(error.contains(&id), "{error}");
        }
        let error = meant("ZZZZ").unwrap_err();
        assert!(error.contains("`ZZZZ`"), "{error}");
        for bad in ["", "7", "AAA", "../etc", "a b c d"] {
            assert!(IdText::parse(bad).is_err(), "{bad}");
        }
    }
}
