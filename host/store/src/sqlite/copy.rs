//! A copy of a journal in one file, also of one that a daemon is writing.
//!
//! Invariant: only a journal that holds what was acknowledged, and is whole, is copied; a copy that does not hold what
//! the journal held at its moment is none, and is removed.

use super::{
    FILE_NAME,
    error::{damaged, explain, sentence},
    files::{self, length, sync_directory},
    mark::{self, Head, Marked},
    open::{first_damage, open_to_read, recognise, refuse_missing, unlike},
    private, schema,
    source::Source,
    sums::Summed,
    swap,
};
use crate::port::{StoreError, StoreErrorKind as Kind};
use rusqlite::Connection;
use std::{
    fmt::Display,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// A daemon may write between the looks at the journal and the copy; so often it is tried to have both of one moment.
const TRIES: u32 = 3;

/// Copies the journal of a state directory into a new file, reads the copy back, and gives its size in bytes. It holds
/// what was durable at one moment; the daemon goes on writing.
///
/// # Errors
/// There is no journal, it is damaged or holds less than was acknowledged, or it cannot be read; `to` is there already,
/// has a name that is not UTF-8, or cannot be written. Nothing of the copy is left then.
pub fn copy(state_dir: &Path, to: &Path) -> Result<u64, StoreError> {
    let path = state_dir.join(FILE_NAME);
    let job = Job {
        to: target(&path, to)?,
        path: &path,
    };
    files::refuse_odd(&path)?;
    // Before the database: a daemon that runs only goes ahead of it.
    let marked = mark::read(&mark::path(&path))
        .map_err(|error| job.failed(format!("{}: {error}", mark::path(&path).display())))?;
    if marked == Marked::Damaged {
        return Err(job.refused(&format!("{} is damaged", mark::path(&path).display())));
    }
    if swap::is_ready(&path) {
        return Err(job.failed("a salvage was cut off, which the next start finishes"));
    }
    if length(&path) == 0 {
        refuse_missing(&path, &marked)?;
        return Err(files::none_there(&path));
    }
    let source = Source::open(&path)?;
    let mut before = job.look_at_whole(&source.connection, &marked)?;
    let mut tries = 0;
    loop {
        tries += 1;
        let copied = job.write(&source.connection)?;
        let after = job.look(&source.connection)?;
        let is_right = copied == before || copied == after;
        let is_between = copied.is_between(&before, &after);
        if is_right || (is_between && tries == TRIES) {
            return sync(&job.to).map_err(|error| job.left_nothing(error));
        }
        let _ = fs::remove_file(&job.to);
        if !is_between {
            return Err(job.failed(
                "what was written is not what the journal holds, and was removed again; look at the disk of the copy",
            ));
        }
        before = after;
    }
}

/// The name that SQLite is given: none that means something else to it, as `:memory:` or `file:` do.
fn target(path: &Path, to: &Path) -> Result<PathBuf, StoreError> {
    let failed = |why: &str| {
        let what = format!("cannot be copied to {}: {why}", to.display());
        sentence(path, Kind::Unreadable, what)
    };
    let to = std::path::absolute(to).map_err(|error| failed(&error.to_string()))?;
    match to.to_str() {
        Some(_) => Ok(to),
        None => Err(failed("its name is not UTF-8; give it another")),
    }
}

/// What a journal holds at one moment, as far as it can be counted.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    version: usize,
    head: Option<Head>,
    /// Of each table.
    rows: Vec<u64>,
}

impl Shape {
    fn of(connection: &Connection, version: usize) -> rusqlite::Result<Self> {
        let head = schema::head_of(connection, version)?;
        let names = Summed::of_version(version).map(|summed| summed.table);
        let rows = names.chain(head.is_some().then_some("set_aside"));
        let rows = rows.chain((version >= schema::WITH_AUDIT).then_some("audit"));
        let rows = rows.map(|table| {
            // Rows are counted in the table, for an index may be what lost some.
            let sql = format!("SELECT count(*) FROM {table} NOT INDEXED");
            let count: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or_default())
        });
        Ok(Self {
            version,
            rows: rows.collect::<rusqlite::Result<_>>()?,
            head,
        })
    }

    /// Whether it is of the same journal, from a moment between these two.
    fn is_between(&self, before: &Self, after: &Self) -> bool {
        let (Some(from), Some(own), Some(to)) = (&before.head, &self.head, &after.head) else {
            return false;
        };
        let is_same = from.id == own.id && own.id == to.id && before.version == self.version;
        is_same && from.number <= own.number && own.number <= to.number && from.number < to.number
    }
}

/// One copy.
struct Job<'a> {
    path: &'a Path,
    to: PathBuf,
}

impl Job<'_> {
    /// Looks through the journal, and refuses one that lacks anything.
    fn look_at_whole(&self, source: &Connection, marked: &Marked) -> Result<Shape, StoreError> {
        let explained = |error: rusqlite::Error| explain(self.path, &error);
        let snapshot = source.unchecked_transaction().map_err(explained)?;
        let version = recognise(&snapshot, self.path)?;
        if version == 0 {
            return Err(files::none_there(self.path));
        }
        let head = schema::head_of(&snapshot, version).map_err(explained)?;
        if let Some(found) = unlike(self.path, head.as_ref(), marked) {
            return Err(self.refused(&found));
        }
        if let Some(found) = first_damage(&snapshot, version).map_err(explained)? {
            return Err(self.refused(&found));
        }
        Shape::of(&snapshot, version).map_err(explained)
    }

    fn look(&self, source: &Connection) -> Result<Shape, StoreError> {
        let explained = |error: rusqlite::Error| explain(self.path, &error);
        let snapshot = source.unchecked_transaction().map_err(explained)?;
        let version = recognise(&snapshot, self.path)?;
        Shape::of(&snapshot, version).map_err(explained)
    }

    /// Writes the copy and reads it back. On an error nothing of it is left.
    fn write(&self, source: &Connection) -> Result<Shape, StoreError> {
        // Its owner's alone from the first byte on; SQLite takes an empty file for none.
        private::files()
            .write(true)
            .create_new(true)
            .open(&self.to)
            .map_err(|error| self.not_begun(&error))?;
        source
            .execute("VACUUM INTO ?1", [self.to.to_string_lossy()])
            .map_err(|error| self.left_nothing(error))?;
        self.read_back()
    }

    fn read_back(&self) -> Result<Shape, StoreError> {
        let looked = open_to_read(&self.to).and_then(|copy| {
            let version =
                copy.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
            let version = usize::try_from(version).unwrap_or_default();
            let damage = first_damage(&copy, version)?;
            Ok((damage, Shape::of(&copy, version)?))
        });
        match looked {
            Ok((None, shape)) => Ok(shape),
            Ok((Some(found), _)) => {
                Err(self.left_nothing(format!("it reads back damaged ({found})")))
            }
            Err(error) => Err(self.left_nothing(format!("it cannot be read back ({error})"))),
        }
    }

    /// The file of the copy could not be made.
    fn not_begun(&self, error: &io::Error) -> StoreError {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return self.failed(error);
        }
        let found = match fs::symlink_metadata(&self.to) {
            Ok(found) if found.is_dir() => "a directory",
            Ok(found) if found.is_file() => "a file",
            _ => "something",
        };
        self.failed(format!(
            "{found} is there already, and was left as it is; give the copy another name, such as one with the date, or move \
             away what is there"
        ))
    }

    /// The copy was not begun.
    fn failed(&self, why: impl Display) -> StoreError {
        let what = format!("cannot be copied to {}: {why}", self.to.display());
        sentence(self.path, Kind::Unavailable, what)
    }

    fn left_nothing(&self, why: impl Display) -> StoreError {
        let _ = fs::remove_file(&self.to);
        self.failed(format!("{why}; what was written of it was removed again"))
    }

    /// The journal is not one that a copy should be made of.
    fn refused(&self, found: &str) -> StoreError {
        let what = format!(
            "cannot be copied to {}: it {}",
            self.to.display(),
            damaged(self.path, found)
        );
        sentence(self.path, Kind::Unreadable, what)
    }
}

fn sync(copy: &Path) -> io::Result<u64> {
    let file = File::open(copy)?;
    file.sync_all()?;
    copy.parent().map_or(Ok(()), sync_directory)?;
    Ok(file.metadata()?.len())
}
