//! Typed reading of the config's tree. Problems are collected and reading goes on, so that one run shows them all.
//!
//! Invariant: a key is known because something reads it. What is left when a table has been read is unknown and an
//! error, so that no key can be accepted and then ignored.
//! Invariant: `None` from a reader means that the value is absent or that a problem was reported.

use super::{
    context::Context,
    document::{Entry, Node, Place, Table, Value},
    group::MOST_ERRORS,
    suggest::{allowed, nearest},
};

static NO_KEYS: Table = Table::new();

/// A value, the key that it is set under, and where to report what is wrong with it.
#[derive(Clone, Copy)]
pub(crate) struct ValueAt<'a> {
    /// Where problems go.
    pub(crate) context: &'a Context<'a>,
    /// The value.
    pub(crate) node: &'a Node,
    /// Its key.
    pub(crate) key: &'a str,
}

impl<'a> ValueAt<'a> {
    /// Refuses the value: says what was found, that it is not `wanted`, and what to write instead.
    #[track_caller]
    pub(crate) fn not<T>(self, wanted: &str, help: impl Into<String>) -> Option<T> {
        let found = shown(&self.node.value);
        self.refuse(format!("`{}` is {found}, not {wanted}", self.key), help)
    }

    /// Refuses the value in words of its own.
    #[track_caller]
    pub(crate) fn refuse<T>(
        self,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.context.error(self.node.place, message, help);
        None
    }

    /// The value, where it is a text.
    pub(crate) fn as_text(self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Reads each element of an array. Elements that are refused are left out.
    pub(crate) fn each<T>(
        self,
        help: &str,
        read: impl Fn(ValueAt<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::Array(items) = &self.node.value else {
            return self.not("an array", help);
        };
        let items = items.iter().map(|node| ValueAt { node, ..self });
        Some(items.filter_map(read).collect())
    }

    /// Reads a table with named keys; whatever key is not read is refused as unknown. `what` is said in messages.
    pub(crate) fn fields<T>(
        self,
        what: &str,
        read: impl FnOnce(&mut Fields<'a>) -> Option<T>,
    ) -> Option<T> {
        let table = match &self.node.value {
            Value::Table(table) => Some(table),
            _ => None,
        };
        let mut fields = Fields {
            context: self.context,
            table: table.unwrap_or(&NO_KEYS),
            place: self.node.place,
            what: table.map_or_else(|| what.to_owned(), |table| labelled(what, table)),
            asked: Vec::new(),
            all_pass: false,
        };
        if table.is_none() {
            // Which keys it could have is wanted, not that they are missing; and not where few problems are shown of many.
            if self.context.reported() < MOST_ERRORS {
                self.context.unreported(|| read(&mut fields));
            }
            return self.not("a table", fields.as_written());
        }
        let value = read(&mut fields);
        fields.refuse_unknown();
        value
    }

    /// Reads a table whose keys are the operator's own: each key, its place and its value.
    pub(crate) fn entries(self) -> Vec<(&'a str, Place, ValueAt<'a>)> {
        let Value::Table(table) = &self.node.value else {
            self.not::<()>("a table", format!("write {} = {{ NAME = … }}", self.key));
            return Vec::new();
        };
        let entries = table.iter().map(|(key, entry)| {
            let at = ValueAt {
                context: self.context,
                node: &entry.node,
                key,
            };
            (key.as_str(), entry.key, at)
        });
        entries.collect()
    }
}

/// The named keys of one table.
pub(crate) struct Fields<'a> {
    /// Where problems go.
    pub(crate) context: &'a Context<'a>,
    /// The table's header.
    pub(crate) place: Place,
    table: &'a Table,
    what: String,
    asked: Vec<&'static str>,
    all_pass: bool,
}

impl<'a> Fields<'a> {
    /// What is set under a key.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<ValueAt<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let (key, Entry { node, .. }) = self.table.get_key_value(key)?;
        let context = self.context;
        Some(ValueAt { context, node, key })
    }

    /// Reads a key that may be absent.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(ValueAt<'a>) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(read)
    }

    /// Reads a key that may be absent, and then is the default.
    pub(crate) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(ValueAt<'a>) -> Option<T>,
    ) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// Reads a key that must be there; `example` is how it may be written.
    #[track_caller]
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(ValueAt<'a>) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(at) => read(at),
            None => {
                let message = format!("{} has no `{key}`", self.what);
                self.context
                    .error(self.place, message, format!("add {example}"));
                None
            }
        }
    }

    /// Reads each element of an array that may be absent.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(ValueAt<'a>) -> Option<T>,
    ) -> Vec<T> {
        let help = format!("write {example}");
        self.or(key, Vec::new(), |at| at.each(&help, read))
    }

    /// The same, of an array that names something where it is there: an empty one could mean all or none. `absent` is what it
    /// means to leave the key out.
    #[track_caller]
    pub(crate) fn some_of<T>(
        &mut self,
        key: &'static str,
        example: &str,
        absent: &str,
        read: impl Fn(ValueAt<'a>) -> Option<T>,
    ) -> Vec<T> {
        if let Some(at) = self.get(key)
            && matches!(&at.node.value, Value::Array(items) if items.is_empty())
        {
            at.refuse::<()>(
                format!("`{key}` is an empty array, and names nothing"),
                format!("write {example}, or leave it out for {absent}"),
            );
        }
        self.list(key, example, read)
    }

    /// Refuses a key that says nothing here.
    #[track_caller]
    pub(crate) fn reject_key(&mut self, key: &'static str, why: &str, help: &str) {
        if self.get(key).is_some() {
            let place = self.table.get(key).map_or(self.place, |entry| entry.key);
            let message = format!("`{key}` has no meaning in {}: {why}", self.what);
            self.context.error(place, message, help);
        }
    }

    /// Refuses the table as a whole.
    #[track_caller]
    pub(crate) fn needs(&self, message: &str, help: &str) {
        self.context.error(self.place, message, help);
    }

    /// Lets every key pass, where what is wrong with the table hides which ones it may have.
    pub(crate) fn accept_all(&mut self) {
        self.all_pass = true;
    }

    /// How such a table is written.
    fn as_written(&self) -> String {
        let asked = self.asked.iter().copied();
        match self.asked.first() {
            None => "write it as { … }".to_owned(),
            Some(kind) if self.all_pass => {
                format!("write it as {{ {kind} = …, … }}: `{kind}` says which keys it has")
            }
            // It has a header of its own, wherever its text stands.
            _ if self.what.starts_with('[') => format!(
                "write {} with its keys on the lines below; {}",
                self.what,
                allowed(asked, '`')
            ),
            _ => format!("write it as {{ … }}; {}", allowed(asked, '`')),
        }
    }

    fn refuse_unknown(&self) {
        if self.all_pass {
            return;
        }
        let table = self.table.iter();
        let unknown = table.filter(|(key, _)| !self.asked.contains(&key.as_str()));
        for (number, (key, entry)) in unknown.enumerate() {
            let asked = || self.asked.iter().copied();
            let help = match number < MOST_ERRORS {
                // So many are not shown: to look for what each means would take long, and nobody would read it.
                false => "remove it".to_owned(),
                true => match nearest(key, asked()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => allowed(asked(), '`'),
                },
            };
            let message = format!("unknown key `{key}` in {}", self.what);
            self.context.error(entry.key, message, help);
        }
    }
}

/// `this target`, or its name where it has one.
fn labelled(what: &str, table: &Table) -> String {
    let name = table.get("name").map(|entry| &entry.node.value);
    match (what.strip_prefix("this "), name) {
        (Some(kind), Some(Value::Text(name))) if (1..=64).contains(&name.len()) => {
            format!("{kind} `{name}`")
        }
        _ => what.to_owned(),
    }
}

/// A value as messages show it.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) if text.is_empty() => "empty".to_owned(),
        Value::Text(text) if text.chars().count() > 60 => {
            let start: String = text.chars().take(60).collect();
            format!("{start:?}…")
        }
        Value::Text(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Datetime(time) => format!("the time {time}"),
        Value::Array(_) => "an array".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}
